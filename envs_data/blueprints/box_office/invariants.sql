-- No <<area>> has more tickets for a <<perf>> than places.
SELECT id FROM band_now WHERE taken > places;

-- Nobody sells more places than the <<area>> has.
SELECT b.id FROM price_band AS b JOIN <<area>> AS a ON a.id = b.<<area>>_id WHERE b.places > a.capacity;

-- A <<perf>> has prices for the <<areas>> of its own <<hall>> only.
SELECT b.id FROM price_band AS b JOIN <<area>> AS a ON a.id = b.<<area>>_id JOIN <<perf>>_now AS p ON p.id = b.<<perf>>_id
WHERE a.<<hall>>_id <> p.<<hall>>_id;

-- A ticket is for an <<area>> that has a price at its <<perf>>.
SELECT t.id FROM live_ticket AS t
WHERE NOT EXISTS (SELECT 1 FROM price_band AS b WHERE b.<<perf>>_id = t.<<perf>>_id AND b.<<area>>_id = t.<<area>>_id);

-- part <<seating>>
-- A seat is never sold twice for one <<perf>>.
SELECT <<perf>>_id, seat_id FROM live_ticket WHERE seat_id IS NOT NULL GROUP BY <<perf>>_id, seat_id HAVING count(*) > 1;

-- A ticket's seat is in the ticket's <<area>>.
SELECT t.id FROM live_ticket AS t LEFT JOIN seat AS s ON s.id = t.seat_id WHERE s.<<area>>_id IS NOT t.<<area>>_id;
-- end part

-- A paid booking owes nothing and has nothing to come back.
SELECT b.id FROM booking AS b JOIN booking_sum AS s ON s.booking_id = b.id WHERE b.status = 'paid' AND s.owed <> 0;

-- A held booking has tickets, and something is owed.
SELECT b.id FROM booking AS b JOIN booking_sum AS s ON s.booking_id = b.id WHERE b.status = 'held' AND (s.tickets = 0 OR s.owed <= 0);

-- A cancelled or refunded booking has no live tickets and no money.
SELECT b.id FROM booking AS b JOIN booking_sum AS s ON s.booking_id = b.id
WHERE b.status IN ('cancelled', 'refunded') AND (s.tickets > 0 OR s.paid <> 0);

-- A paid booking has tickets.
SELECT b.id FROM booking AS b JOIN booking_sum AS s ON s.booking_id = b.id WHERE b.status = 'paid' AND s.tickets = 0;

-- Only tickets of paid bookings are scanned.
SELECT id FROM live_ticket WHERE status = 'scanned' AND booking_status <> 'paid';

-- What is left on a voucher is what was loaded less what was spent.
SELECT v.id FROM voucher AS v
WHERE v.balance <> v.loaded - (SELECT coalesce(sum(CASE kind WHEN 'refund' THEN -amount ELSE amount END), 0) FROM payment WHERE voucher_id = v.id);

-- A booking has one companion ticket at most, and never alone.
SELECT t.booking_id FROM live_ticket AS t JOIN ticket_kind AS k ON k.id = t.kind_id
GROUP BY t.booking_id HAVING sum(k.name = 'companion') > 1 OR sum(k.name <> 'companion') = 0;

-- Nothing is held for a <<perf>> that was cancelled.
SELECT b.id FROM booking AS b JOIN <<perf>> AS p ON p.id = b.<<perf>>_id WHERE b.status = 'held' AND p.status = 'cancelled';

-- Two <<perfs>> that are not cancelled never overlap on one <<hall>>.
SELECT p.id FROM <<perf>>_now AS p JOIN <<perf>>_now AS q ON q.<<hall>>_id = p.<<hall>>_id AND q.id > p.id
WHERE p.status <> 'cancelled' AND q.status <> 'cancelled'
  AND abs(julianday(p.starts_at) - julianday(q.starts_at)) * 1440 < <<minutes>> - 0.5;

-- Nobody waits twice for one <<area>> at one <<perf>>.
SELECT customer_id FROM waiting WHERE status = 'waiting' GROUP BY customer_id, <<perf>>_id, <<area>>_id HAVING count(*) > 1;

-- Nobody waits for a <<perf>> that was cancelled.
SELECT w.id FROM waiting AS w JOIN <<perf>> AS p ON p.id = w.<<perf>>_id WHERE w.status = 'waiting' AND p.status = 'cancelled';

-- part passes
-- The entries left on a <<pass_name>> are those it had less those used.
SELECT x.id FROM <<pass>> AS x
WHERE x.entries_left <> x.entries - (SELECT coalesce(sum(entries), 0) FROM pass_entry WHERE <<pass>>_id = x.id);
-- end part

-- part rota
-- Nobody is on duty at two <<perfs>> that overlap.
SELECT d.id FROM duty AS d JOIN <<perf>> AS p ON p.id = d.<<perf>>_id
JOIN duty AS e ON e.staff_id = d.staff_id AND e.id > d.id JOIN <<perf>> AS q ON q.id = e.<<perf>>_id
WHERE abs(julianday(p.starts_at) - julianday(q.starts_at)) * 1440 < <<minutes>> - 0.5;

-- Nobody is on duty at a <<perf>> that was cancelled.
SELECT d.id FROM duty AS d JOIN <<perf>> AS p ON p.id = d.<<perf>>_id WHERE p.status = 'cancelled';
-- end part
