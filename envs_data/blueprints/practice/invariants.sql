-- A booked <<appointment>> still to come breaks no rule: role, open day, hours, leave, and nobody and no <<room_w>> twice at a time.
SELECT c.* FROM clash AS c JOIN <<appointment>> AS a ON a.id = c.<<appointment>>_id WHERE a.starts_at > now();
-- No <<practitioner>>, <<room_w>> or <<patient>> has two <<appointments>> at the same time.
SELECT a.<<appointment>>_id, b.<<appointment>>_id AS other FROM busy AS a JOIN busy AS b
  ON a.<<appointment>>_id < b.<<appointment>>_id AND a.starts_at < b.ends_at AND a.ends_at > b.starts_at
WHERE a.<<practitioner>>_id = b.<<practitioner>>_id OR a.<<room>>_id = b.<<room>>_id OR a.<<patient>>_id = b.<<patient>>_id;
-- Every <<appointment>> has the length of its <<service>> and begins on the hour or half hour.
SELECT a.id FROM <<appointment>> AS a JOIN <<service>> AS s ON s.id = a.<<service>>_id
WHERE a.ends_at <> strftime('%Y-%m-%dT%H:%M:%S', a.starts_at, '+' || s.minutes || ' minutes') OR strftime('%M:%S', a.starts_at) NOT IN ('00:00', '30:00');
-- Who has arrived is here today; what is done or missed is not to come.
SELECT id FROM <<appointment>> WHERE status = 'arrived' AND date(starts_at) <> date(now()) OR status = 'done' AND date(starts_at) > date(now()) OR status = 'missed' AND starts_at > now();
-- Who has left has nothing booked to come, waits for nothing and is not to be recalled.
SELECT id FROM <<patient>> AS p WHERE status = 'left' AND (
  EXISTS (SELECT 1 FROM <<appointment>> AS a WHERE a.<<patient>>_id = p.id AND a.status IN ('booked', 'arrived') AND a.starts_at > now())
  OR EXISTS (SELECT 1 FROM waiting AS w WHERE w.<<patient>>_id = p.id AND w.status = 'waiting')
  OR EXISTS (SELECT 1 FROM <<recall>> AS r WHERE r.<<patient>>_id = p.id AND r.status IN ('due', 'sent')));
-- Nobody waits twice for the same <<service>>, and a served entry has <<an_appointment>> of its <<patient>> and <<service>>.
SELECT w.id FROM waiting AS w LEFT JOIN <<appointment>> AS a ON a.id = w.<<appointment>>_id
WHERE w.status = 'booked' AND (a.<<patient>>_id <> w.<<patient>>_id OR a.<<service>>_id <> w.<<service>>_id)
  OR w.status = 'waiting' AND EXISTS (SELECT 1 FROM waiting AS v WHERE v.status = 'waiting' AND v.<<patient>>_id = w.<<patient>>_id AND v.<<service>>_id = w.<<service>>_id AND v.id <> w.id);
-- A paid <<invoice>> owes nothing, an open one owes something, and drafts and void ones hold no money.
SELECT <<invoice>>_id FROM <<invoice>>_total
WHERE CASE status WHEN 'paid' THEN total <> paid WHEN 'open' THEN paid NOT BETWEEN 0 AND total - 1 ELSE paid <> 0 END;
-- Each <<appointment>> is billed at most once, to its <<patient>>, when it is done (the fee) or was cancelled late (half of it).
SELECT l.id FROM <<invoice>>_line AS l JOIN <<invoice>> AS i ON i.id = l.<<invoice>>_id JOIN <<appointment>> AS a ON a.id = l.<<appointment>>_id
WHERE i.status <> 'void' AND (i.<<patient>>_id <> a.<<patient>>_id
  OR l.kind = 'fee' AND (a.status <> 'done' OR l.amount <> a.fee) OR l.kind = 'late' AND (a.status <> 'cancelled' OR a.cancelled_by <> '<<patient>>' OR l.amount <> a.fee / 2)
  OR EXISTS (SELECT 1 FROM <<invoice>>_line AS m JOIN <<invoice>> AS j ON j.id = m.<<invoice>>_id WHERE m.<<appointment>>_id = a.id AND m.id <> l.id AND j.status <> 'void'));
-- An issued <<invoice>> has lines, and is due after it was issued.
SELECT i.id FROM <<invoice>> AS i WHERE i.status <> 'draft' AND (i.due_on <= i.issued_on OR NOT EXISTS (SELECT 1 FROM <<invoice>>_line AS l WHERE l.<<invoice>>_id = i.id));
-- No <<patient>> has two live <<recalls_w>> for one <<service>>, and only a <<service>> that repeats is recalled.
SELECT r.id FROM <<recall>> AS r JOIN <<service>> AS s ON s.id = r.<<service>>_id
WHERE s.<<recall>>_months IS NULL OR r.status IN ('due', 'sent') AND EXISTS (SELECT 1 FROM <<recall>> AS q
  WHERE q.<<patient>>_id = r.<<patient>>_id AND q.<<service>>_id = r.<<service>>_id AND q.status IN ('due', 'sent') AND q.id <> r.id);
-- Spells of leave of one <<practitioner>> do not overlap.
SELECT a.id, b.id AS other FROM leave AS a JOIN leave AS b ON b.<<practitioner>>_id = a.<<practitioner>>_id AND a.id < b.id AND a.from_on <= b.to_on AND a.to_on >= b.from_on;
-- A <<room_w>> is closed for a stated reason, an open one has none.
SELECT id FROM <<room>> WHERE (status = 'closed') <> (note IS NOT NULL);
-- part packages
-- A <<package_w>> covers <<appointments>> of its owner and <<service>>, within its term, no more than its size, and none that is billed as well.
SELECT k.<<package>>_id, a.id FROM <<package>>_use AS k LEFT JOIN <<appointment>> AS a ON a.<<package>>_id = k.<<package>>_id AND a.status <> 'cancelled'
WHERE k.remaining < 0 OR a.<<patient>>_id <> k.<<patient>>_id OR a.<<service>>_id <> k.<<service>>_id OR date(a.starts_at) > k.expires_on
  OR EXISTS (SELECT 1 FROM <<invoice>>_line AS l JOIN <<invoice>> AS i ON i.id = l.<<invoice>>_id WHERE l.<<appointment>>_id = a.id AND l.kind = 'fee' AND i.status <> 'void');
-- end part
-- part referrals
-- Nobody has two open referrals for one speciality.
SELECT a.id, b.id AS other FROM referral AS a JOIN <<partner>> AS p ON p.id = a.<<partner>>_id JOIN referral AS b ON b.<<patient>>_id = a.<<patient>>_id AND a.id < b.id
  JOIN <<partner>> AS q ON q.id = b.<<partner>>_id WHERE a.status = 'open' AND b.status = 'open' AND p.speciality = q.speciality;
-- end part
