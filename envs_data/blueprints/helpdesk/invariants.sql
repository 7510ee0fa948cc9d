-- A <<ticket>> is due as many hours after its opening as its priority allows.
SELECT t.id FROM <<ticket>> AS t JOIN sla ON sla.priority = t.priority WHERE t.due_at <> strftime('%Y-%m-%dT%H:%M:%S', t.opened_at, '+' || hours || ' hours');
-- Whoever holds an open <<ticket>> is trained for its category, and nobody holds more of them than allowed.
SELECT t.id FROM <<ticket>> AS t WHERE t.status IN ('assigned', 'working', 'waiting')
  AND NOT EXISTS (SELECT 1 FROM skill AS k WHERE k.<<technician>>_id = t.<<technician>>_id AND k.category_id = t.category_id)
UNION ALL SELECT <<technician>>_id FROM <<technician>>_load WHERE room < 0;
-- A booked visit is for an open <<ticket>>, by somebody trained for its category.
SELECT v.id FROM visit AS v JOIN <<ticket>> AS t ON t.id = v.<<ticket>>_id WHERE v.status = 'booked'
  AND (t.status NOT IN ('new', 'assigned', 'working', 'waiting') OR NOT EXISTS (SELECT 1 FROM skill AS k WHERE k.<<technician>>_id = v.<<technician>>_id AND k.category_id = t.category_id));
-- A booked visit lies within a shift of the one who does it.
SELECT v.id FROM visit AS v WHERE v.status = 'booked'
  AND NOT EXISTS (SELECT 1 FROM shift AS s WHERE s.<<technician>>_id = v.<<technician>>_id AND s.on_day = date(v.starts_at)
    AND s.part IN ('full', CASE WHEN substr(v.starts_at, 12) < '12' THEN 'early' ELSE 'late' END));
-- Nobody is on two visits at once, and no <<ticket>> has two visits booked.
SELECT a.id, b.id AS other FROM visit AS a JOIN visit AS b ON a.id < b.id
WHERE a.<<technician>>_id = b.<<technician>>_id AND a.starts_at = b.starts_at AND a.status <> 'cancelled' AND b.status <> 'cancelled'
  OR a.<<ticket>>_id = b.<<ticket>>_id AND a.status = 'booked' AND b.status = 'booked';
-- What a <<ticket>> points to suits it: its <<problem>> is of its category, and not resolved while it is open; what it was merged into is of its category, not merged, and has its log.
SELECT t.id FROM <<ticket>> AS t JOIN <<problem>> AS p ON p.id = t.<<problem>>_id
WHERE p.category_id <> t.category_id OR p.status = 'resolved' AND t.status IN ('new', 'assigned', 'working', 'waiting')
UNION ALL SELECT t.id FROM <<ticket>> AS t JOIN <<ticket>> AS o ON o.id = t.merged_into_id
WHERE o.id = t.id OR o.status = 'merged' OR o.category_id <> t.category_id OR EXISTS (SELECT 1 FROM entry AS e WHERE e.<<ticket>>_id = t.id);
-- <<Purchases>> are decided from the day on which they were asked for until today, and no <<site>> has approved more than its budget allows.
SELECT id FROM <<purchase>> WHERE asked_on > date(now()) OR decided_on < asked_on OR decided_on > date(now())
UNION ALL SELECT <<site>>_id FROM <<site>>_budget WHERE left_cents < 0;
-- Nothing is resolved before it was opened, or in the future.
SELECT id FROM <<ticket>> WHERE resolved_at < opened_at OR resolved_at > now() OR opened_at > now();
-- No work is logged for the future, nor before the day the <<ticket>> was opened, nor more than ten hours a day for one <<technician>>.
SELECT e.id FROM entry AS e JOIN <<ticket>> AS t ON t.id = e.<<ticket>>_id WHERE e.on_day > date(now()) OR e.kind = 'work' AND e.on_day < date(t.opened_at)
UNION ALL SELECT min(id) FROM entry WHERE kind = 'work' GROUP BY <<technician>>_id, on_day HAVING sum(minutes) > 600;
-- Nothing is escalated before it was opened, or in the future; level 2 comes after level 1, on a later day.
SELECT e.<<ticket>>_id FROM escalation AS e JOIN <<ticket>> AS t ON t.id = e.<<ticket>>_id WHERE e.escalated_at < t.opened_at OR e.escalated_at > now()
  OR e.level = 2 AND NOT EXISTS (SELECT 1 FROM escalation AS f WHERE f.<<ticket>>_id = e.<<ticket>>_id AND f.level = 1 AND date(f.escalated_at) < date(e.escalated_at));
-- Nobody has two <<assets>> of one kind in use.
SELECT <<requester>>_id FROM <<asset>> WHERE status = 'in_use' GROUP BY <<requester>>_id, kind HAVING count(*) > 1;
-- part loans
-- An <<asset>> that is lent has one running loan, and no other has any.
SELECT a.id FROM <<asset>> AS a WHERE (a.status = 'lent') <> (SELECT count(*) FROM loan AS l WHERE l.<<asset>>_id = a.id AND l.returned_on IS NULL);
-- A loan runs for at most 28 days, and nobody has more than two at a time.
SELECT id FROM loan WHERE julianday(due_on) - julianday(lent_on) > 28
UNION ALL SELECT min(id) FROM loan WHERE returned_on IS NULL GROUP BY <<requester>>_id HAVING count(*) > 2;
-- end part
-- part spares
-- The stock of a part is what was received less what was used.
SELECT p.id FROM part AS p WHERE on_hand <> received - (SELECT coalesce(sum(quantity), 0) FROM part_use WHERE part_id = p.id);
-- end part
