-- Counter and back office of a small financial mutual. Money in whole cents or pence.

CREATE TABLE staff (
  id     INTEGER PRIMARY KEY,
  name   TEXT    NOT NULL UNIQUE,
  role   TEXT    NOT NULL CHECK (role IN ('counter', 'adviser', 'manager')),
  topic  TEXT    CHECK (topic IN ('borrowing', 'saving', 'pensions')),
  CHECK ((role = 'adviser') = (topic IS NOT NULL))
) STRICT;

CREATE TABLE <<member>> (
  id             INTEGER PRIMARY KEY,
  name           TEXT    NOT NULL UNIQUE,
  phone          TEXT    NOT NULL,
  address        TEXT    NOT NULL,
  town           TEXT    NOT NULL,
  joined_on      TEXT    NOT NULL,
  checked_on     TEXT    NOT NULL,                              -- identity last checked
  moved_on       TEXT                                           -- last change of address
) STRICT;

CREATE TABLE product (
  id           INTEGER PRIMARY KEY,
  name         TEXT    NOT NULL UNIQUE,
  kind         TEXT    NOT NULL CHECK (kind IN ('<<k1>>', '<<k2>>', '<<k3>>')),
  minimum      INTEGER NOT NULL CHECK (minimum >= 0),           -- must stay in the account
  opening      INTEGER NOT NULL CHECK (opening > 0),            -- the least first deposit
  notice_days  INTEGER NOT NULL CHECK (notice_days >= 0),
  daily_limit  INTEGER NOT NULL CHECK (daily_limit > 0),
  card_limit   INTEGER NOT NULL CHECK (card_limit >= 0),        -- the most a card may be set to; 0: no cards
  rate_bp      INTEGER NOT NULL CHECK (rate_bp >= 0),           -- interest a year, in hundredths of a percent
  holders      INTEGER NOT NULL CHECK (holders IN (1, 2)),
  on_sale      INTEGER NOT NULL CHECK (on_sale IN (0, 1))
) STRICT;

CREATE TABLE account (
  id             INTEGER PRIMARY KEY,
  number         TEXT    NOT NULL UNIQUE,
  product_id     INTEGER NOT NULL REFERENCES product (id),
  <<member>>_id  INTEGER NOT NULL REFERENCES <<member>> (id),
  joint_id       INTEGER REFERENCES <<member>> (id),
  status         TEXT    NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'dormant', 'closed')),
  opened_on      TEXT    NOT NULL,
  CHECK (joint_id <> <<member>>_id)
) STRICT;

CREATE TABLE card (
  id             INTEGER PRIMARY KEY,
  account_id     INTEGER NOT NULL REFERENCES account (id),
  <<member>>_id  INTEGER NOT NULL REFERENCES <<member>> (id),
  last_four      TEXT    NOT NULL UNIQUE,
  status         TEXT    NOT NULL CHECK (status IN ('active', 'frozen', 'in the post', 'lost', 'expired')),
  spend_limit    INTEGER NOT NULL CHECK (spend_limit >= 0),     -- a month
  expires_on     TEXT    NOT NULL
) STRICT;

CREATE TABLE <<payee>> (
  id             INTEGER PRIMARY KEY,
  <<member>>_id  INTEGER NOT NULL REFERENCES <<member>> (id),
  name           TEXT    NOT NULL,
  bank_number    TEXT    NOT NULL,
  added_on       TEXT    NOT NULL,
  UNIQUE (<<member>>_id, name)
) STRICT;

CREATE TABLE <<standing>> (
  id            INTEGER PRIMARY KEY,
  account_id    INTEGER NOT NULL REFERENCES account (id),
  <<payee>>_id  INTEGER NOT NULL REFERENCES <<payee>> (id),
  amount        INTEGER NOT NULL CHECK (amount > 0),
  next_on       TEXT    NOT NULL,                               -- leaves monthly
  status        TEXT    NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'cancelled'))
) STRICT;

CREATE TABLE <<debit>> (
  id          INTEGER PRIMARY KEY,
  account_id  INTEGER NOT NULL REFERENCES account (id),
  originator  TEXT    NOT NULL,
  reference   TEXT    NOT NULL UNIQUE,
  signed_on   TEXT    NOT NULL,
  status      TEXT    NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'cancelled'))
) STRICT;

CREATE TABLE entry (
  id            INTEGER PRIMARY KEY,
  account_id    INTEGER NOT NULL REFERENCES account (id),
  booked_on     TEXT    NOT NULL,
  kind          TEXT    NOT NULL CHECK (kind IN ('opening', 'income', 'card', 'payment', 'collection', 'transfer', 'fee', 'refund', 'instalment', 'closing')),
  amount        INTEGER NOT NULL CHECK (amount <> 0),           -- below zero: out of the account
  counterparty  TEXT    NOT NULL,
  card_id       INTEGER REFERENCES card (id),
  <<debit>>_id  INTEGER REFERENCES <<debit>> (id),
  refund_of     INTEGER UNIQUE REFERENCES entry (id)            -- the transaction that this one pays back
) STRICT;

CREATE TABLE <<fee>> (
  id          INTEGER PRIMARY KEY,
  account_id  INTEGER NOT NULL REFERENCES account (id),
  entry_id    INTEGER NOT NULL UNIQUE REFERENCES entry (id),
  kind        TEXT    NOT NULL CHECK (kind IN ('<<fee1>>', '<<fee2>>', '<<fee3>>')),
  amount      INTEGER NOT NULL CHECK (amount > 0),
  charged_on  TEXT    NOT NULL,
  waived_on   TEXT
) STRICT;

CREATE TABLE <<hold>> (
  id          INTEGER PRIMARY KEY,
  account_id  INTEGER NOT NULL REFERENCES account (id),
  amount      INTEGER NOT NULL CHECK (amount > 0),
  reason      TEXT    NOT NULL CHECK (reason IN ('<<cheque>>', 'guarantee', 'court')),
  placed_on   TEXT    NOT NULL,
  until_on    TEXT    NOT NULL,
  status      TEXT    NOT NULL DEFAULT 'standing' CHECK (status IN ('standing', 'released'))
) STRICT;

CREATE TABLE <<dispute>> (
  id          INTEGER PRIMARY KEY,
  entry_id    INTEGER NOT NULL UNIQUE REFERENCES entry (id),
  reason      TEXT    NOT NULL CHECK (reason IN ('not made', 'charged twice', 'not delivered', 'wrong amount')),
  opened_on   TEXT    NOT NULL,
  status      TEXT    NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'upheld', 'rejected')),
  settled_on  TEXT,
  settled_by  INTEGER REFERENCES staff (id),
  CHECK ((status = 'open') = (settled_on IS NULL))
) STRICT;

CREATE TABLE <<loan>> (
  id             INTEGER PRIMARY KEY,
  number         TEXT    NOT NULL UNIQUE,
  <<member>>_id  INTEGER NOT NULL REFERENCES <<member>> (id),
  purpose        TEXT    NOT NULL,
  granted_on     TEXT    NOT NULL,
  holiday_on     TEXT                                           -- last payment holiday granted
) STRICT;

CREATE TABLE instalment (
  id          INTEGER PRIMARY KEY,
  <<loan>>_id INTEGER NOT NULL REFERENCES <<loan>> (id),
  due_on      TEXT    NOT NULL,
  amount      INTEGER NOT NULL CHECK (amount > 0),
  paid_on     TEXT,
  UNIQUE (<<loan>>_id, due_on)
) STRICT;

CREATE TABLE application (
  id             INTEGER PRIMARY KEY,
  number         TEXT    NOT NULL UNIQUE,
  <<member>>_id  INTEGER NOT NULL REFERENCES <<member>> (id),
  amount         INTEGER NOT NULL CHECK (amount > 0),
  purpose        TEXT    NOT NULL,
  received_on    TEXT    NOT NULL,
  status         TEXT    NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'approved', 'declined')),
  decided_on     TEXT,
  decided_by     INTEGER REFERENCES staff (id),
  CHECK ((status = 'open') = (decided_on IS NULL))
) STRICT;

CREATE TABLE notice (
  id          INTEGER PRIMARY KEY,
  account_id  INTEGER NOT NULL REFERENCES account (id),
  amount      INTEGER NOT NULL CHECK (amount > 0),
  given_on    TEXT    NOT NULL,
  free_on     TEXT    NOT NULL,                                 -- from this day it can be withdrawn
  status      TEXT    NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'used'))
) STRICT;

-- part deposits
CREATE TABLE <<deposit>> (
  id             INTEGER PRIMARY KEY,
  number         TEXT    NOT NULL UNIQUE,
  <<member>>_id  INTEGER NOT NULL REFERENCES <<member>> (id),
  account_id     INTEGER NOT NULL REFERENCES account (id),      -- where it is paid out to
  amount         INTEGER NOT NULL CHECK (amount > 0),
  rate_bp        INTEGER NOT NULL CHECK (rate_bp > 0),
  started_on     TEXT    NOT NULL,
  matures_on     TEXT    NOT NULL,
  at_maturity    TEXT    NOT NULL CHECK (at_maturity IN ('pay out', 'renew')),
  status         TEXT    NOT NULL DEFAULT 'running' CHECK (status IN ('running', 'broken', 'matured'))
) STRICT;
-- end part

-- part visits
CREATE TABLE <<visit>> (
  id             INTEGER PRIMARY KEY,
  staff_id       INTEGER NOT NULL REFERENCES staff (id),
  starts_at      TEXT    NOT NULL,
  <<member>>_id  INTEGER REFERENCES <<member>> (id),            -- NULL: free
  UNIQUE (staff_id, starts_at)
) STRICT;
-- end part

CREATE INDEX entry_account ON entry (account_id);
CREATE INDEX account_member ON account (<<member>>_id);
CREATE INDEX instalment_loan ON instalment (<<loan>>_id);

-- Available: the balance less holds and less the minimum. Left today: of the daily limit, after what has gone out today. On notice: of pending notices.
CREATE VIEW account_state AS
SELECT a.id AS account_id, coalesce(e.balance, 0) AS balance, coalesce(h.held, 0) AS held,
  CASE WHEN a.status = 'closed' THEN 0 ELSE coalesce(e.balance, 0) - coalesce(h.held, 0) - p.minimum END AS available,
  p.daily_limit - coalesce(e.gone, 0) AS left_today, coalesce(n.on_notice, 0) AS on_notice
FROM account AS a JOIN product AS p ON p.id = a.product_id
  LEFT JOIN (SELECT account_id, sum(amount) AS balance, sum(CASE WHEN kind IN ('payment', 'transfer') AND amount < 0 AND booked_on = date(now()) THEN -amount ELSE 0 END) AS gone
    FROM entry GROUP BY account_id) AS e ON e.account_id = a.id
  LEFT JOIN (SELECT account_id, sum(amount) AS held FROM <<hold>> WHERE status = 'standing' GROUP BY account_id) AS h ON h.account_id = a.id
  LEFT JOIN (SELECT account_id, sum(amount) AS on_notice FROM notice WHERE status = 'pending' GROUP BY account_id) AS n ON n.account_id = a.id;

CREATE VIEW <<loan>>_state AS
SELECT l.id AS <<loan>>_id, coalesce(sum(CASE WHEN i.paid_on IS NULL THEN i.amount END), 0) AS owed,
  coalesce(sum(CASE WHEN i.paid_on IS NULL AND i.due_on < date(now()) THEN i.amount END), 0) AS arrears,
  count(i.paid_on) AS paid, count(i.id) - count(i.paid_on) AS unpaid, min(CASE WHEN i.paid_on IS NULL THEN i.due_on END) AS next_on
FROM <<loan>> AS l LEFT JOIN instalment AS i ON i.<<loan>>_id = l.id
GROUP BY l.id;

-- A member may owe the multiple of what the own active accounts that are not everyday accounts hold.
CREATE VIEW borrowing AS
SELECT m.id AS <<member>>_id, coalesce(s.savings, 0) AS savings, coalesce(o.owed, 0) AS owed, coalesce(o.arrears, 0) AS arrears,
  <<multiple>> * coalesce(s.savings, 0) - coalesce(o.owed, 0) AS may_borrow
FROM <<member>> AS m
  LEFT JOIN (SELECT a.<<member>>_id, sum(t.balance) AS savings FROM account AS a JOIN product AS p ON p.id = a.product_id JOIN account_state AS t ON t.account_id = a.id
    WHERE a.status = 'active' AND p.kind <> '<<k1>>' GROUP BY a.<<member>>_id) AS s ON s.<<member>>_id = m.id
  LEFT JOIN (SELECT l.<<member>>_id, sum(x.owed) AS owed, sum(x.arrears) AS arrears FROM <<loan>> AS l JOIN <<loan>>_state AS x ON x.<<loan>>_id = l.id GROUP BY l.<<member>>_id) AS o
    ON o.<<member>>_id = m.id;
