-- A <<unit>> is never promised to two at once, nor while it is closed, from today on.
SELECT a.reservation_id FROM busy AS a JOIN busy AS b ON a.<<unit>>_id = b.<<unit>>_id
WHERE a.reservation_id IS NOT NULL AND (b.reservation_id > a.reservation_id OR b.closure_id IS NOT NULL)
  AND max(a.from_on, date(now())) < b.until_on AND max(b.from_on, date(now())) < a.until_on;

-- Two closures of a <<unit>> never overlap.
SELECT a.id FROM closure AS a JOIN closure AS b ON a.<<unit>>_id = b.<<unit>>_id AND b.id > a.id
WHERE a.status = 'active' AND b.status = 'active' AND a.starts_on <= b.ends_on AND b.starts_on <= a.ends_on;

-- Nobody stays in what is too small for the party.
SELECT r.id FROM reservation AS r JOIN <<unit>> AS u ON u.id = r.<<unit>>_id JOIN <<unit>>_type AS t ON t.id = u.<<unit>>_type_id
WHERE r.<<party>> > t.<<capacity>>;

-- Who is checked in has arrived, is to leave today or later, and has the <<unit>> to themselves.
SELECT r.id FROM reservation AS r WHERE r.status = 'checked_in' AND (r.arrive_on > date(now()) OR r.leave_on < date(now())
  OR EXISTS (SELECT 1 FROM reservation AS o WHERE o.<<unit>>_id = r.<<unit>>_id AND o.status = 'checked_in' AND o.id <> r.id));

-- Whoever has left owes nothing and has nothing to come.
SELECT id FROM reservation JOIN folio ON reservation_id = id WHERE status = 'checked_out' AND balance <> 0;

-- The refunds of a payment are no more than the payment.
SELECT p.id FROM payment AS p JOIN refund AS b ON b.payment_id = p.id GROUP BY p.id HAVING sum(b.amount) > max(p.amount);

-- What is rationed is not sold beyond a day's stock.
SELECT extra_id, on_date FROM charge JOIN extra ON extra.id = extra_id WHERE status = 'open' GROUP BY extra_id, on_date HAVING sum(quantity) > max(daily_stock);

-- A higher grade never costs less than a lower one in the same season.
SELECT a.id FROM rate AS a JOIN <<unit>>_type AS t ON t.id = a.<<unit>>_type_id JOIN rate AS b ON b.season_id = a.season_id JOIN <<unit>>_type AS o ON o.id = b.<<unit>>_type_id
WHERE t.grade > o.grade AND a.night_price < b.night_price;

-- A task is with somebody of the right trade.
SELECT task.id FROM task JOIN staff ON staff.id = staff_id WHERE role <> CASE kind WHEN 'repair' THEN 'maintenance' ELSE '<<crew>>' END;

-- Nobody has more than four open tasks due on one day.
SELECT staff_id, due_on FROM task WHERE status = 'open' AND staff_id IS NOT NULL GROUP BY staff_id, due_on HAVING count(*) > 4;

-- Nobody waits twice for one type.
SELECT <<guest>>_id, <<unit>>_type_id FROM waiting WHERE status = 'waiting' GROUP BY <<guest>>_id, <<unit>>_type_id HAVING count(*) > 1;

-- A late check-out is on the folio exactly once.
SELECT r.id FROM reservation AS r WHERE r.late_checkout <> (SELECT count(*) FROM charge WHERE reservation_id = r.id AND kind = 'late' AND charge.status = 'open');

-- part groups
-- A group has no more reservations than places, cancelled ones included.
SELECT g.id FROM <<group>> AS g JOIN reservation AS r ON r.<<group>>_id = g.id GROUP BY g.id HAVING count(*) > max(g.places);
-- end part

-- part lost
-- What was returned went to somebody who was staying when it was found.
SELECT i.id FROM lost_item AS i WHERE i.status = 'returned' AND NOT EXISTS (
  SELECT 1 FROM reservation AS r WHERE r.<<guest>>_id = i.<<guest>>_id AND i.found_on BETWEEN r.arrive_on AND r.leave_on AND r.status IN ('checked_in', 'checked_out'));
-- end part
