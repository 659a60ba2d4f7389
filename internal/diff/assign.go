package diff

import "math"

// assign pairs rows with columns so that the sum of scores is as large as can be; pairs that score below least are left out. It is the Hungarian method
// with potentials in the form of Jonker and Volgenant (shortest augmenting paths), O(n²m).
func assign(rows, columns int, least float64, score func(row, column int) float64) [][2]int {
	if rows == 0 || columns == 0 {
		return nil
	}
	if rows > columns {
		swapped := assign(columns, rows, least, func(r, c int) float64 { return score(c, r) })
		for i, p := range swapped {
			swapped[i] = [2]int{p[1], p[0]}
		}
		return swapped
	}
	scores := make([]float64, rows*columns)
	for r := range rows {
		for c := range columns {
			// What may not be paired is worth nothing, so it never pushes a good pair aside.
			if s := score(r, c); s >= least {
				scores[r*columns+c] = s
			}
		}
	}
	// u, v are the potentials; match[c] is the row of a column. Index 0 is the virtual start.
	u, v := make([]float64, rows+1), make([]float64, columns+1)
	match, way := make([]int, columns+1), make([]int, columns+1)
	for r := 1; r <= rows; r++ {
		match[0] = r
		at := 0
		shortest := make([]float64, columns+1)
		for i := range shortest {
			shortest[i] = math.Inf(1)
		}
		used := make([]bool, columns+1)
		for {
			used[at] = true
			row, delta, next := match[at], math.Inf(1), 0
			for c := 1; c <= columns; c++ {
				if used[c] {
					continue
				}
				if d := -scores[(row-1)*columns+c-1] - u[row] - v[c]; d < shortest[c] {
					shortest[c], way[c] = d, at
				}
				if shortest[c] < delta {
					delta, next = shortest[c], c
				}
			}
			for c := 0; c <= columns; c++ {
				if used[c] {
					u[match[c]] += delta
					v[c] -= delta
				} else {
					shortest[c] -= delta
				}
			}
			at = next
			if match[at] == 0 {
				break
			}
		}
		for at != 0 {
			match[at] = match[way[at]]
			at = way[at]
		}
	}
	var out [][2]int
	for c := 1; c <= columns; c++ {
		if r := match[c]; r > 0 && scores[(r-1)*columns+c-1] > 0 {
			out = append(out, [2]int{r - 1, c - 1})
		}
	}
	return out
}
