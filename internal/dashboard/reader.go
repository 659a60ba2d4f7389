package dashboard

// Reader reads one dashboard after the other into the same memory, which takes a third less time than memory of its own for each. It is not safe for concurrent use.
type Reader struct{ mem memory }

// Load is [Load], but the dashboard and all nodes of it are good only until the next call. Texts stay.
func (r *Reader) Load(file string, data []byte) (*Dashboard, error) {
	r.mem.release()
	doc, err := parseIn(file, data, &r.mem)
	if err != nil {
		return nil, err
	}
	return Read(doc)
}

// reusedSlab is how many nodes a [Reader] takes at a time; most dashboards need one or two such slabs.
const reusedSlab = 1024

// memory keeps slabs for the next document. A nil memory makes new ones each time.
type memory struct {
	slabs                 [][]Node
	lists                 [][]*Node
	slabsTaken, listTaken int
}

func (m *memory) nodes(n int) []Node {
	if m == nil {
		return make([]Node, n)
	}
	if m.slabsTaken == len(m.slabs) {
		m.slabs = append(m.slabs, make([]Node, n))
	}
	m.slabsTaken++
	return m.slabs[m.slabsTaken-1]
}

func (m *memory) pointers(n int) []*Node {
	if m == nil || n > reusedSlab {
		return make([]*Node, n)
	}
	if m.listTaken == len(m.lists) {
		m.lists = append(m.lists, make([]*Node, reusedSlab))
	}
	m.listTaken++
	return m.lists[m.listTaken-1]
}

// release takes back all that was handed out. A huge dashboard's memory is not kept for the small ones after it.
func (m *memory) release() {
	const most = 64
	for i := range m.slabs[:m.slabsTaken] {
		clear(m.slabs[i])
	}
	for i := range m.lists[:m.listTaken] {
		clear(m.lists[i])
	}
	m.slabs, m.lists = m.slabs[:min(len(m.slabs), most)], m.lists[:min(len(m.lists), most)]
	m.slabsTaken, m.listTaken = 0, 0
}
