-- No <<driver>> is on two <<runs>> in one shift.
SELECT a.id FROM <<run>> AS a JOIN <<run>> AS b ON b.<<driver>>_id = a.<<driver>>_id AND b.on_day = a.on_day AND b.shift = a.shift AND b.id > a.id WHERE a.status <> 'cancelled' AND b.status <> 'cancelled';

-- No <<van>> is on two <<runs>> in one shift.
SELECT a.id FROM <<run>> AS a JOIN <<run>> AS b ON b.<<van>>_id = a.<<van>>_id AND b.on_day = a.on_day AND b.shift = a.shift AND b.id > a.id WHERE a.status <> 'cancelled' AND b.status <> 'cancelled';

-- Nobody has more hours in a week than agreed.
SELECT w.<<driver>>_id FROM <<driver>>_week AS w JOIN <<driver>> AS d ON d.id = w.<<driver>>_id WHERE w.hours > d.max_hours;

-- The licence of the <<driver>> of a <<run>> covers its <<van>>.
SELECT r.id FROM <<run>> AS r JOIN <<driver>> AS d ON d.id = r.<<driver>>_id JOIN <<van>> AS v ON v.id = r.<<van>>_id WHERE v.licence = '<<lic2>>' AND d.licence = '<<lic1>>';

-- Nobody who is absent, or has left, is on a planned <<run>>.
SELECT r.id FROM <<run>> AS r JOIN <<driver>> AS d ON d.id = r.<<driver>>_id WHERE r.status = 'planned' AND (d.status = 'left' OR EXISTS (SELECT 1 FROM absence AS a WHERE a.<<driver>>_id = d.id AND r.on_day BETWEEN a.from_on AND a.until_on));

-- The <<driver>> and the <<van>> of a <<run>> are of the depot of its <<zone>>.
SELECT r.id FROM <<run>> AS r JOIN <<zone>> AS z ON z.id = r.<<zone>>_id JOIN <<driver>> AS d ON d.id = r.<<driver>>_id JOIN <<van>> AS v ON v.id = r.<<van>>_id WHERE d.depot_id <> z.depot_id OR v.depot_id <> z.depot_id;

-- No <<run>> that is planned or out carries more than its <<van>> can.
SELECT r.id FROM <<run>> AS r JOIN <<run>>_use AS u ON u.<<run>>_id = r.id WHERE r.status IN ('planned', 'out') AND u.room_kg < 0;

-- What is <<special>> is planned or out only in a <<van>> with <<a_kit>>.
SELECT r.id FROM <<run>> AS r JOIN <<van>> AS v ON v.id = r.<<van>>_id JOIN <<run>>_use AS u ON u.<<run>>_id = r.id WHERE r.status IN ('planned', 'out') AND u.<<special>> > v.<<kit>>;

-- An open stop is on a planned <<run>> for what waits at the depot, or on one that is out for what is out; nothing else is out.
SELECT s.id FROM stop AS s JOIN <<run>> AS r ON r.id = s.<<run>>_id JOIN <<load>> AS l ON l.id = s.<<load>>_id
WHERE s.status = 'open' AND NOT (r.status = 'planned' AND l.status IN ('booked', 'failed')) AND NOT (r.status = 'out' AND l.status = 'out')
UNION ALL SELECT l.id FROM <<load>> AS l WHERE l.status = 'out' AND NOT EXISTS (SELECT 1 FROM stop AS s WHERE s.<<load>>_id = l.id AND s.status = 'open');

-- Nothing is on two open stops, nor has anything failed more than three times.
SELECT <<load>>_id FROM stop GROUP BY <<load>>_id HAVING sum(status = 'open') > 1 OR sum(status = 'failed') > 3;

-- An open stop lies in the <<zone>>, on the day and in the slot that are wanted.
SELECT s.id FROM stop AS s JOIN <<run>> AS r ON r.id = s.<<run>>_id JOIN <<load>> AS l ON l.id = s.<<load>>_id WHERE s.status = 'open' AND (l.<<zone>>_id <> r.<<zone>>_id OR l.wanted_on <> r.on_day OR l.slot NOT IN ('any', r.shift));

-- Delivered is what has a delivered stop, and nothing else.
SELECT l.id FROM <<load>> AS l WHERE (l.status = 'delivered') <> EXISTS (SELECT 1 FROM stop AS s WHERE s.<<load>>_id = l.id AND s.status = 'delivered');

-- The <<cod_word>> of what is delivered has been collected, to the full amount.
SELECT l.id FROM <<load>> AS l LEFT JOIN cash AS c ON c.<<load>>_id = l.id WHERE coalesce(c.amount, 0) <> CASE WHEN l.status = 'delivered' THEN l.<<cod>> ELSE 0 END;

-- Nobody has paid more than an invoice comes to.
SELECT invoice_id FROM invoice_balance WHERE owed < 0;

-- An invoice is about things of its own <<customer>>, delivered or returned.
SELECT l.id FROM <<load>> AS l JOIN invoice AS i ON i.id = l.invoice_id WHERE i.<<customer>>_id <> l.<<customer>>_id OR l.status NOT IN ('delivered', 'returned');

-- No claim is paid beyond what was claimed or what the <<tariff>> covers.
SELECT c.id FROM claim AS c JOIN <<load>> AS l ON l.id = c.<<load>>_id JOIN <<customer>> AS k ON k.id = l.<<customer>>_id JOIN <<tariff>> AS t ON t.id = k.<<tariff>>_id WHERE c.paid > min(c.claimed, t.cover);

-- part partners
-- Handed over is what a partner has that can carry it, and nothing else.
SELECT l.id FROM <<load>> AS l WHERE (l.status = 'handed') <> EXISTS (SELECT 1 FROM handover AS h JOIN partner AS p ON p.id = h.partner_id WHERE h.<<load>>_id = l.id AND p.max_kg >= l.weight_kg AND p.<<kit>> >= l.<<special>>);

-- end part
