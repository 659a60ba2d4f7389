package pair

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// postgres is the DB that relays share.
type postgres struct {
	pool *pgxpool.Pool
	name string
	// made is set once the tables are known to be there.
	made atomic.Bool
}

// Check says whether dsn names a PostgreSQL, and returns the password in it. Its error holds nothing of dsn.
func Check(dsn string) (password string, err error) {
	c, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return "", errors.New("it is not the address of a PostgreSQL: write postgres://user:password@host:5432/database")
	}
	return c.ConnConfig.Password, nil
}

// Postgres connects to the PostgreSQL that the relays of the named pair share, once it is asked something.
func Postgres(dsn, name string) (DB, error) {
	c, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		_, err := Check(dsn)
		return nil, err
	}
	// One campaigns, one writes what was told, others reserve calls.
	c.MaxConns, c.MinConns = 4, 0
	c.MaxConnIdleTime = 5 * time.Minute
	pool, err := pgxpool.NewWithConfig(context.Background(), c)
	if err != nil {
		return nil, fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	return &postgres{pool: pool, name: name}, nil
}

// schema is made by whichever relay comes first.
const schema = `
CREATE TABLE IF NOT EXISTS lookout_relay_lease (
	pair text PRIMARY KEY, holder text NOT NULL, token bigint NOT NULL, expires timestamptz NOT NULL);
CREATE TABLE IF NOT EXISTS lookout_relay_told (
	pair text NOT NULL, alert bytea NOT NULL, starts bigint NOT NULL, resolved boolean NOT NULL, accepted timestamptz NOT NULL,
	PRIMARY KEY (pair, alert, starts, resolved));
CREATE TABLE IF NOT EXISTS lookout_relay_calls (
	id bigserial PRIMARY KEY, pair text NOT NULL, relay text NOT NULL, peer text NOT NULL, ends timestamptz NOT NULL);
CREATE TABLE IF NOT EXISTS lookout_relay_offers (
	id bigserial PRIMARY KEY, pair text NOT NULL, relay text NOT NULL, ref text NOT NULL, target text NOT NULL, body bytea NOT NULL, accepted timestamptz NOT NULL,
	UNIQUE (pair, relay, ref));
CREATE TABLE IF NOT EXISTS lookout_relay_shared (
	pair text NOT NULL, kind text NOT NULL, name text NOT NULL, relay text NOT NULL, body bytea NOT NULL, at timestamptz NOT NULL,
	PRIMARY KEY (pair, kind, name));
CREATE INDEX IF NOT EXISTS lookout_relay_shared_at ON lookout_relay_shared (pair, at);
CREATE INDEX IF NOT EXISTS lookout_relay_told_accepted ON lookout_relay_told (pair, accepted);
`

// ready makes the tables where they are not there.
func (d *postgres) ready(ctx context.Context) error {
	if d.made.Load() {
		return nil
	}
	err := pgx.BeginFunc(ctx, d.pool, func(tx pgx.Tx) error {
		var there bool
		if err := tx.QueryRow(ctx, `SELECT to_regclass('lookout_relay_offers') IS NOT NULL AND to_regclass('lookout_relay_told_accepted') IS NOT NULL`).Scan(&there); err != nil || there {
			return err
		}
		// Two relays that start together would both make them.
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(7316042)`); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, schema)
		return err
	})
	if err == nil {
		d.made.Store(true)
	}
	return err
}

func (d *postgres) exec(ctx context.Context, sql string, args ...any) error {
	if err := d.ready(ctx); err != nil {
		return err
	}
	_, err := d.pool.Exec(ctx, sql, append([]any{d.name}, args...)...)
	return d.gone(err)
}

// gone has the tables made again where an older backup, or someone, took them away.
func (d *postgres) gone(err error) error {
	var pg *pgconn.PgError
	if errors.As(err, &pg) && pg.Code == "42P01" {
		d.made.Store(false)
	}
	return err
}

// query calls scan for every row.
func (d *postgres) query(ctx context.Context, scan func(pgx.Rows) error, sql string, args ...any) error {
	if err := d.ready(ctx); err != nil {
		return err
	}
	rows, err := d.pool.Query(ctx, sql, append([]any{d.name}, args...)...)
	if err != nil {
		return d.gone(err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return d.gone(rows.Err())
}

// The driver sends durations as microseconds.
func micro(d time.Duration) int64 { return d.Microseconds() }

func (d *postgres) Campaign(ctx context.Context, holder string, ttl time.Duration) (bool, error) {
	held := false
	err := d.query(ctx, func(r pgx.Rows) error { held = true; var token int64; return r.Scan(&token) }, `
		INSERT INTO lookout_relay_lease AS l (pair, holder, token, expires) VALUES ($1, $2, 1, clock_timestamp() + $3 * interval '1 microsecond')
		ON CONFLICT (pair) DO UPDATE SET holder = excluded.holder, expires = clock_timestamp() + $3 * interval '1 microsecond',
			token = CASE WHEN l.holder = excluded.holder THEN l.token ELSE l.token + 1 END
		WHERE l.holder = excluded.holder OR l.expires <= clock_timestamp()
		RETURNING token`, holder, micro(ttl))
	return held, err
}

func (d *postgres) Release(ctx context.Context, holder string) error {
	return d.exec(ctx, `UPDATE lookout_relay_lease SET expires = clock_timestamp() WHERE pair = $1 AND holder = $2`, holder)
}

func (d *postgres) Reserve(ctx context.Context, holder, relay, peer string, timeout time.Duration) (int64, error) {
	var id int64
	err := d.query(ctx, func(r pgx.Rows) error { return r.Scan(&id) }, `
		INSERT INTO lookout_relay_calls (pair, relay, peer, ends)
		SELECT pair, $3, $4, clock_timestamp() + $5 * interval '1 microsecond' FROM lookout_relay_lease
		WHERE pair = $1 AND holder = $2 AND expires > clock_timestamp() RETURNING id`, holder, relay, peer, micro(timeout))
	return id, err
}

func (d *postgres) Ended(ctx context.Context, ids []int64) error {
	return d.exec(ctx, `UPDATE lookout_relay_calls SET ends = least(ends, clock_timestamp()) WHERE pair = $1 AND id = ANY($2)`, ids)
}

func (d *postgres) Calls(ctx context.Context, relay string, within time.Duration) ([]Call, error) {
	var out []Call
	err := d.query(ctx, func(r pgx.Rows) error {
		var c Call
		var age int64
		if err := r.Scan(&c.ID, &c.Peer, &age); err != nil {
			return err
		}
		c.Age = time.Duration(age) * time.Microsecond
		out = append(out, c)
		return nil
	}, `SELECT id, peer, (extract(epoch FROM clock_timestamp() - ends) * 1000000)::bigint FROM lookout_relay_calls
		WHERE pair = $1 AND relay <> $2 AND ends > clock_timestamp() - $3 * interval '1 microsecond'`, relay, micro(within))
	return out, err
}

func (d *postgres) Tell(ctx context.Context, told []Told) error {
	keys, starts, resolved, ages := make([][]byte, len(told)), make([]int64, len(told)), make([]bool, len(told)), make([]int64, len(told))
	for i, t := range told {
		keys[i], starts[i], resolved[i], ages[i] = t.Key[:], t.Starts, t.Resolved, micro(t.Age)
	}
	return d.exec(ctx, `
		INSERT INTO lookout_relay_told AS t (pair, alert, starts, resolved, accepted)
		SELECT $1, alert, starts, resolved, clock_timestamp() - min(age) * interval '1 microsecond'
		FROM unnest($2::bytea[], $3::bigint[], $4::boolean[], $5::bigint[]) AS u (alert, starts, resolved, age) GROUP BY alert, starts, resolved
		ON CONFLICT (pair, alert, starts, resolved) DO UPDATE SET accepted = greatest(t.accepted, excluded.accepted)`, keys, starts, resolved, ages)
}

func (d *postgres) Ask(ctx context.Context, keys []Key) ([]Told, error) {
	raw := make([][]byte, len(keys))
	for i := range keys {
		raw[i] = keys[i][:]
	}
	var out []Told
	err := d.query(ctx, func(r pgx.Rows) error {
		var t Told
		var key []byte
		var age int64
		if err := r.Scan(&key, &t.Starts, &t.Resolved, &age); err != nil {
			return err
		}
		copy(t.Key[:], key)
		t.Age = time.Duration(age) * time.Microsecond
		out = append(out, t)
		return nil
	}, `SELECT alert, starts, resolved, (extract(epoch FROM clock_timestamp() - accepted) * 1000000)::bigint
		FROM lookout_relay_told WHERE pair = $1 AND alert = ANY($2)`, raw)
	return out, err
}

func (d *postgres) Offer(ctx context.Context, relay string, refs []string, offers []Offer) error {
	targets, bodies, ages := make([]string, len(offers)), make([][]byte, len(offers)), make([]int64, len(offers))
	for i, o := range offers {
		targets[i], bodies[i], ages[i] = o.Target, o.Body, micro(o.Age)
	}
	return d.exec(ctx, `
		INSERT INTO lookout_relay_offers (pair, relay, ref, target, body, accepted)
		SELECT $1, $2, ref, target, body, clock_timestamp() - age * interval '1 microsecond'
		FROM unnest($3::text[], $4::text[], $5::bytea[], $6::bigint[]) AS u (ref, target, body, age)
		ON CONFLICT (pair, relay, ref) DO NOTHING`, relay, refs, targets, bodies, ages)
}

func (d *postgres) Offers(ctx context.Context, relay string, limit int) ([]Offer, error) {
	var out []Offer
	err := d.query(ctx, func(r pgx.Rows) error {
		var o Offer
		var age int64
		if err := r.Scan(&o.ID, &o.Target, &o.Body, &age); err != nil {
			return err
		}
		o.Age = time.Duration(age) * time.Microsecond
		out = append(out, o)
		return nil
	}, `SELECT id, target, body, (extract(epoch FROM clock_timestamp() - accepted) * 1000000)::bigint
		FROM lookout_relay_offers WHERE pair = $1 AND relay <> $2 ORDER BY id LIMIT $3`, relay, limit)
	return out, err
}

func (d *postgres) Take(ctx context.Context, ids []int64) error {
	return d.exec(ctx, `DELETE FROM lookout_relay_offers WHERE pair = $1 AND id = ANY($2)`, ids)
}

func (d *postgres) Share(ctx context.Context, relay string, list []Shared) error {
	newest := map[[2]string]int{}
	for i, s := range list {
		newest[[2]string{s.Kind, s.Name}] = i
	}
	var kinds, names []string
	var bodies [][]byte
	for i, s := range list {
		if newest[[2]string{s.Kind, s.Name}] == i {
			kinds, names, bodies = append(kinds, s.Kind), append(names, s.Name), append(bodies, s.Body)
		}
	}
	return d.exec(ctx, `
		INSERT INTO lookout_relay_shared (pair, kind, name, relay, body, at)
		SELECT $1, kind, name, $2, body, clock_timestamp() FROM unnest($3::text[], $4::text[], $5::bytea[]) AS u (kind, name, body)
		ON CONFLICT (pair, kind, name) DO UPDATE SET relay = excluded.relay, body = excluded.body, at = excluded.at`, relay, kinds, names, bodies)
}

func (d *postgres) Learn(ctx context.Context, relay string, from int64) ([]Shared, int64, error) {
	var out []Shared
	next := from
	// A transaction that began earlier may end later; what it wrote is looked for once more.
	err := d.query(ctx, func(r pgx.Rows) error {
		var s Shared
		var age int64
		if err := r.Scan(&s.Kind, &s.Name, &s.Body, &age, &next); err != nil {
			return err
		}
		s.Age = time.Duration(age) * time.Microsecond
		out = append(out, s)
		return nil
	}, `SELECT kind, name, body, (extract(epoch FROM clock_timestamp() - at) * 1000000)::bigint, (extract(epoch FROM at) * 1000000)::bigint
		FROM lookout_relay_shared WHERE pair = $1 AND relay <> $2 AND at > to_timestamp($3::bigint / 1000000.0) - interval '10 seconds'
		ORDER BY at LIMIT 5000`, relay, from)
	return out, next, err
}

func (d *postgres) Purge(ctx context.Context, age time.Duration) error {
	for _, sql := range []string{
		`DELETE FROM lookout_relay_told WHERE pair = $1 AND accepted < clock_timestamp() - $2 * interval '1 microsecond'`,
		`DELETE FROM lookout_relay_shared WHERE pair = $1 AND at < clock_timestamp() - $2 * interval '1 microsecond'`,
		`DELETE FROM lookout_relay_calls WHERE pair = $1 AND ends < clock_timestamp() - $2 * interval '1 microsecond'`,
		`DELETE FROM lookout_relay_offers WHERE pair = $1 AND accepted < clock_timestamp() - $2 * interval '1 microsecond'`,
	} {
		if err := d.exec(ctx, sql, micro(age)); err != nil {
			return err
		}
	}
	return nil
}

func (d *postgres) Close() { d.pool.Close() }
