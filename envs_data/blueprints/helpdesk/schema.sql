CREATE TABLE clerk (                                                      -- the people at the desk
  id    INTEGER PRIMARY KEY,
  name  TEXT    NOT NULL UNIQUE,
  role  TEXT    NOT NULL CHECK (role IN ('desk', 'supervisor'))
) STRICT;

CREATE TABLE <<site>> (
  id            INTEGER PRIMARY KEY,
  name          TEXT    NOT NULL UNIQUE,
  budget_cents  INTEGER NOT NULL CHECK (budget_cents >= 0)               -- for <<purchases>> this year
) STRICT;

CREATE TABLE <<requester>> (
  id          INTEGER PRIMARY KEY,
  <<site>>_id INTEGER NOT NULL REFERENCES <<site>> (id),
  name        TEXT    NOT NULL UNIQUE,
  email       TEXT    NOT NULL UNIQUE,
  phone       TEXT    NOT NULL,
  active      INTEGER NOT NULL DEFAULT 1 CHECK (active IN (0, 1))
) STRICT;

CREATE TABLE <<team>> (
  id    INTEGER PRIMARY KEY,
  name  TEXT    NOT NULL UNIQUE
) STRICT;

CREATE TABLE category (
  id          INTEGER PRIMARY KEY,
  name        TEXT    NOT NULL UNIQUE,
  <<team>>_id INTEGER NOT NULL REFERENCES <<team>> (id)
) STRICT;

CREATE TABLE <<technician>> (
  id          INTEGER PRIMARY KEY,
  name        TEXT    NOT NULL UNIQUE,
  <<team>>_id INTEGER NOT NULL REFERENCES <<team>> (id),
  max_open    INTEGER NOT NULL CHECK (max_open > 0),                     -- so many open <<tickets>> at a time
  status      TEXT    NOT NULL CHECK (status IN ('active', 'away'))
) STRICT;

CREATE TABLE skill (                                                      -- the categories a <<technician>> is trained for
  <<technician>>_id INTEGER NOT NULL REFERENCES <<technician>> (id),
  category_id       INTEGER NOT NULL REFERENCES category (id),
  PRIMARY KEY (<<technician>>_id, category_id)
) STRICT;

CREATE TABLE sla (                                                        -- hours from opening to due, by priority
  priority  TEXT    NOT NULL PRIMARY KEY CHECK (priority IN ('critical', 'high', 'normal', 'low')),
  hours     INTEGER NOT NULL CHECK (hours > 0)
) STRICT;

CREATE TABLE <<asset>> (
  id                INTEGER PRIMARY KEY,
  tag               TEXT    NOT NULL UNIQUE,
  kind              TEXT    NOT NULL,
  model             TEXT    NOT NULL,
  status            TEXT    NOT NULL CHECK (status IN ('in_use', 'store', 'lent', 'retired')),
  <<requester>>_id  INTEGER REFERENCES <<requester>> (id),               -- who has it in use
  lendable          INTEGER NOT NULL DEFAULT 0 CHECK (lendable IN (0, 1)), -- may leave the store for some days
  warranty_until    TEXT    NOT NULL,
  CHECK ((status = 'in_use') = (<<requester>>_id IS NOT NULL))
) STRICT;

CREATE INDEX <<asset>>_by_<<requester>> ON <<asset>> (<<requester>>_id);

CREATE TABLE <<problem>> (                                                -- a common cause of several <<tickets>>
  id                INTEGER PRIMARY KEY,
  number            TEXT    NOT NULL UNIQUE,
  title             TEXT    NOT NULL,
  category_id       INTEGER NOT NULL REFERENCES category (id),
  <<technician>>_id INTEGER NOT NULL REFERENCES <<technician>> (id),     -- who leads it
  status            TEXT    NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'resolved')),
  opened_at         TEXT    NOT NULL,
  resolved_at       TEXT,
  resolution        TEXT,
  CHECK ((status = 'resolved') = (resolved_at IS NOT NULL)),
  CHECK ((status = 'resolved') = (resolution IS NOT NULL))
) STRICT;

CREATE TABLE <<ticket>> (
  id                INTEGER PRIMARY KEY,
  number            TEXT    NOT NULL UNIQUE,
  title             TEXT    NOT NULL CHECK (trim(title) <> ''),
  <<requester>>_id  INTEGER NOT NULL REFERENCES <<requester>> (id),
  category_id       INTEGER NOT NULL REFERENCES category (id),
  <<asset>>_id      INTEGER REFERENCES <<asset>> (id),
  <<technician>>_id INTEGER REFERENCES <<technician>> (id),
  priority          TEXT    NOT NULL REFERENCES sla (priority),
  status            TEXT    NOT NULL DEFAULT 'new' CHECK (status IN ('new', 'assigned', 'working', 'waiting', 'resolved', 'closed', 'cancelled', 'merged')),
  opened_at         TEXT    NOT NULL,
  due_at            TEXT    NOT NULL,
  waiting_for       TEXT,                                                 -- while it waits
  resolved_at       TEXT,
  resolution        TEXT,
  reason            TEXT,                                                 -- why it was cancelled
  merged_into_id    INTEGER REFERENCES <<ticket>> (id),
  <<problem>>_id    INTEGER REFERENCES <<problem>> (id),
  score             INTEGER CHECK (score BETWEEN 1 AND 10),               -- how content the <<requester>> was
  CHECK (opened_at < due_at),
  CHECK (status <> 'new' OR <<technician>>_id IS NULL),
  CHECK (status NOT IN ('assigned', 'working', 'waiting', 'resolved', 'closed') OR <<technician>>_id IS NOT NULL),
  CHECK ((status = 'waiting') = (waiting_for IS NOT NULL)),
  CHECK ((status IN ('resolved', 'closed')) = (resolved_at IS NOT NULL)),
  CHECK ((status IN ('resolved', 'closed')) = (resolution IS NOT NULL)),
  CHECK ((status = 'cancelled') = (reason IS NOT NULL)),
  CHECK ((status = 'merged') = (merged_into_id IS NOT NULL)),
  CHECK (score IS NULL OR status IN ('resolved', 'closed'))
) STRICT;

CREATE INDEX <<ticket>>_by_<<requester>> ON <<ticket>> (<<requester>>_id);
CREATE INDEX <<ticket>>_by_<<technician>> ON <<ticket>> (<<technician>>_id);

CREATE TABLE shift (                                                      -- who works when; early, late or both
  id                INTEGER PRIMARY KEY,
  <<technician>>_id INTEGER NOT NULL REFERENCES <<technician>> (id),
  on_day            TEXT    NOT NULL,
  part              TEXT    NOT NULL CHECK (part IN ('early', 'late', 'full')),
  UNIQUE (<<technician>>_id, on_day)
) STRICT;

CREATE TABLE visit (                                                      -- two hours each, from 8, 10, 13 or 15 o'clock
  id                INTEGER PRIMARY KEY,
  <<ticket>>_id     INTEGER NOT NULL REFERENCES <<ticket>> (id),
  <<technician>>_id INTEGER NOT NULL REFERENCES <<technician>> (id),
  starts_at         TEXT    NOT NULL CHECK (substr(starts_at, 12) IN ('08:00:00', '10:00:00', '13:00:00', '15:00:00')),
  status            TEXT    NOT NULL DEFAULT 'booked' CHECK (status IN ('booked', 'done', 'cancelled'))
) STRICT;

CREATE INDEX visit_by_<<ticket>> ON visit (<<ticket>>_id);

CREATE TABLE entry (                                                      -- the log of a <<ticket>>: work of a <<technician>>, comments of the desk
  id                INTEGER PRIMARY KEY,
  <<ticket>>_id     INTEGER NOT NULL REFERENCES <<ticket>> (id),
  kind              TEXT    NOT NULL CHECK (kind IN ('work', 'comment')),
  <<technician>>_id INTEGER REFERENCES <<technician>> (id),
  clerk_id          INTEGER REFERENCES clerk (id),
  on_day            TEXT    NOT NULL,
  minutes           INTEGER CHECK (minutes BETWEEN 5 AND 480 AND minutes % 5 = 0),
  body              TEXT    NOT NULL CHECK (trim(body) <> ''),
  CHECK ((kind = 'work') = (<<technician>>_id IS NOT NULL)),
  CHECK ((kind = 'work') = (minutes IS NOT NULL)),
  CHECK ((kind = 'comment') = (clerk_id IS NOT NULL))
) STRICT;

CREATE INDEX entry_by_<<ticket>> ON entry (<<ticket>>_id);

CREATE TABLE escalation (
  <<ticket>>_id INTEGER NOT NULL REFERENCES <<ticket>> (id),
  level         INTEGER NOT NULL CHECK (level IN (1, 2)),                 -- 1: head of the <<team>>, 2: management
  clerk_id      INTEGER NOT NULL REFERENCES clerk (id),
  escalated_at  TEXT    NOT NULL,
  PRIMARY KEY (<<ticket>>_id, level)
) STRICT;

CREATE TABLE item (                                                       -- the catalogue for <<purchases>>
  id              INTEGER PRIMARY KEY,
  kind            TEXT    NOT NULL,
  name            TEXT    NOT NULL UNIQUE,
  price_cents     INTEGER NOT NULL CHECK (price_cents > 0),
  warranty_years  INTEGER NOT NULL CHECK (warranty_years BETWEEN 1 AND 10),
  available       INTEGER NOT NULL DEFAULT 1 CHECK (available IN (0, 1))
) STRICT;

CREATE TABLE <<purchase>> (
  id                INTEGER PRIMARY KEY,
  number            TEXT    NOT NULL UNIQUE,
  <<requester>>_id  INTEGER NOT NULL REFERENCES <<requester>> (id),
  item_id           INTEGER NOT NULL REFERENCES item (id),
  quantity          INTEGER NOT NULL CHECK (quantity BETWEEN 1 AND 10),
  total_cents       INTEGER NOT NULL CHECK (total_cents > 0),
  status            TEXT    NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'approved', 'delivered', 'rejected', 'cancelled')),
  asked_on          TEXT    NOT NULL,
  decided_on        TEXT,
  clerk_id          INTEGER REFERENCES clerk (id),                        -- who decided
  CHECK ((status IN ('approved', 'delivered', 'rejected')) = (decided_on IS NOT NULL)),
  CHECK ((decided_on IS NULL) = (clerk_id IS NULL))
) STRICT;

-- part loans
CREATE TABLE loan (
  id                INTEGER PRIMARY KEY,
  <<asset>>_id      INTEGER NOT NULL REFERENCES <<asset>> (id),
  <<requester>>_id  INTEGER NOT NULL REFERENCES <<requester>> (id),
  lent_on           TEXT    NOT NULL,
  due_on            TEXT    NOT NULL,
  returned_on       TEXT,
  CHECK (lent_on < due_on)
) STRICT;
-- end part

-- part spares
CREATE TABLE part (
  id             INTEGER PRIMARY KEY,
  name           TEXT    NOT NULL UNIQUE,
  price_cents    INTEGER NOT NULL CHECK (price_cents > 0),
  received       INTEGER NOT NULL CHECK (received >= 0),                  -- ever
  on_hand        INTEGER NOT NULL CHECK (on_hand >= 0),
  reorder_level  INTEGER NOT NULL CHECK (reorder_level >= 0)
) STRICT;

CREATE TABLE part_use (
  id            INTEGER PRIMARY KEY,
  <<ticket>>_id INTEGER NOT NULL REFERENCES <<ticket>> (id),
  part_id       INTEGER NOT NULL REFERENCES part (id),
  quantity      INTEGER NOT NULL CHECK (quantity > 0),
  on_day        TEXT    NOT NULL
) STRICT;
-- end part

CREATE VIEW <<ticket>>_sum AS                                             -- what has been spent on each <<ticket>>, and where it stands
SELECT t.id AS <<ticket>>_id,
  t.status IN ('new', 'assigned', 'working', 'waiting') AS is_open,
  (SELECT coalesce(sum(minutes), 0) FROM entry WHERE entry.<<ticket>>_id = t.id AND kind = 'work') AS minutes,
  (SELECT coalesce(max(level), 0) FROM escalation WHERE escalation.<<ticket>>_id = t.id) AS level,
  (SELECT min(starts_at) FROM visit WHERE visit.<<ticket>>_id = t.id AND visit.status = 'booked') AS visit_at
FROM <<ticket>> AS t;

CREATE VIEW <<technician>>_load AS                                        -- open <<tickets>> of each <<technician>>, and how many more may come
SELECT s.id AS <<technician>>_id,
  (SELECT count(*) FROM <<ticket>> AS t WHERE t.<<technician>>_id = s.id AND t.status IN ('assigned', 'working', 'waiting')) AS open_count,
  s.max_open - (SELECT count(*) FROM <<ticket>> AS t WHERE t.<<technician>>_id = s.id AND t.status IN ('assigned', 'working', 'waiting')) AS room
FROM <<technician>> AS s;

CREATE VIEW <<site>>_budget AS                                            -- what <<purchases>> have taken of each budget
SELECT s.id AS <<site>>_id, s.budget_cents,
  (SELECT coalesce(sum(total_cents), 0) FROM <<purchase>> AS p JOIN <<requester>> AS r ON r.id = p.<<requester>>_id
    WHERE r.<<site>>_id = s.id AND p.status IN ('approved', 'delivered')) AS spent_cents,
  s.budget_cents - (SELECT coalesce(sum(total_cents), 0) FROM <<purchase>> AS p JOIN <<requester>> AS r ON r.id = p.<<requester>>_id
    WHERE r.<<site>>_id = s.id AND p.status IN ('approved', 'delivered')) AS left_cents,
  (SELECT coalesce(sum(total_cents), 0) FROM <<purchase>> AS p JOIN <<requester>> AS r ON r.id = p.<<requester>>_id
    WHERE r.<<site>>_id = s.id AND p.status = 'pending') AS pending_cents
FROM <<site>> AS s;

CREATE VIEW slot AS                                                       -- the starts of visits in each shift, less those taken
SELECT s.<<technician>>_id, s.on_day, s.on_day || 'T' || h.hour AS starts_at
FROM shift AS s JOIN (SELECT '08:00:00' AS hour, 'early' AS part UNION ALL SELECT '10:00:00', 'early' UNION ALL SELECT '13:00:00', 'late' UNION ALL SELECT '15:00:00', 'late') AS h
  ON s.part IN ('full', h.part)
WHERE NOT EXISTS (SELECT 1 FROM visit AS v WHERE v.<<technician>>_id = s.<<technician>>_id AND v.status <> 'cancelled' AND v.starts_at = s.on_day || 'T' || h.hour);
