-- Nobody is planned for a shift of another role.
SELECT d.id FROM duty AS d JOIN shift AS s ON s.id = d.shift_id JOIN <<person>> AS p ON p.id = d.<<person>>_id WHERE d.status IN ('planned', 'worked') AND p.role <> s.role;

-- Nobody is planned without the <<cert>> that the shift asks for.
SELECT d.id FROM duty AS d JOIN shift AS s ON s.id = d.shift_id WHERE d.status = 'planned' AND s.qualification_id IS NOT NULL
  AND NOT EXISTS (SELECT 1 FROM <<cert>> AS k WHERE k.<<person>>_id = d.<<person>>_id AND k.qualification_id = s.qualification_id AND k.expires_on >= date(s.starts_at));

-- Nobody has two duties with less than 11 hours between them.
SELECT d.id FROM duty AS d JOIN shift AS s ON s.id = d.shift_id JOIN shift_info AS i ON i.shift_id = s.id JOIN duty AS e ON e.<<person>>_id = d.<<person>>_id AND e.id <> d.id JOIN shift AS o ON o.id = e.shift_id
WHERE d.status IN ('planned', 'worked') AND e.status IN ('planned', 'worked') AND o.starts_at < i.rest_to AND o.ends_at > i.rest_from;

-- Nobody is planned on a day of approved leave.
SELECT d.id FROM duty AS d JOIN shift AS s ON s.id = d.shift_id JOIN leave_request AS l ON l.<<person>>_id = d.<<person>>_id WHERE d.status = 'planned' AND l.status = 'approved' AND date(s.starts_at) BETWEEN l.from_on AND l.to_on;

-- Nobody is planned on a day of reported sickness.
SELECT d.id FROM duty AS d JOIN shift AS s ON s.id = d.shift_id JOIN sickness AS x ON x.<<person>>_id = d.<<person>>_id WHERE d.status = 'planned' AND date(s.starts_at) >= x.from_on AND (x.to_on IS NULL OR date(s.starts_at) <= x.to_on);

-- Nobody is planned on a blocked day.
SELECT d.id FROM duty AS d JOIN shift AS s ON s.id = d.shift_id JOIN wish AS w ON w.<<person>>_id = d.<<person>>_id WHERE d.status = 'planned' AND w.kind = 'blocked' AND w.on_date = date(s.starts_at);

-- Nobody is planned for more than <<over>> hours over contract in a week.
SELECT b.<<person>>_id FROM booked AS b JOIN <<person>> AS p ON p.id = b.<<person>>_id GROUP BY b.<<person>>_id, b.week_on HAVING sum(b.minutes) > max(p.contract_hours + <<over>>) * 60;

-- Nobody has more annual leave approved than the allowance.
SELECT <<person>>_id FROM leave_balance WHERE left_days < 0;

-- No two approved leaves of a person overlap.
SELECT l.id FROM leave_request AS l JOIN leave_request AS m ON m.<<person>>_id = l.<<person>>_id AND m.id > l.id WHERE l.status = 'approved' AND m.status = 'approved' AND l.from_on <= m.to_on AND l.to_on >= m.from_on;

-- A cancelled shift has no planned duty.
SELECT d.id FROM duty AS d JOIN shift AS s ON s.id = d.shift_id WHERE d.status = 'planned' AND s.status = 'cancelled';

-- An open offer is for an open shift.
SELECT o.id FROM offer AS o JOIN shift_info AS i ON i.shift_id = o.shift_id WHERE o.status = 'open' AND NOT i.is_open;

-- An offer is filled when, and only when, one of its bids is accepted.
SELECT o.id FROM offer AS o WHERE (o.status = 'filled') <> EXISTS (SELECT 1 FROM bid AS b WHERE b.offer_id = o.id AND b.status = 'accepted');

-- The duties of a swap that was approved are given up.
SELECT w.id FROM swap AS w JOIN duty AS d ON d.id IN (w.given_id, w.wanted_id) WHERE w.status = 'approved' AND d.status = 'planned';

-- No approved timesheet is more than an hour over its shift without a note.
SELECT t.id FROM timesheet AS t JOIN timesheet_info AS i ON i.timesheet_id = t.id WHERE t.status = 'approved' AND t.minutes > i.planned_minutes + 60 AND t.note IS NULL;

-- part training
-- No course is overbooked.
SELECT c.id FROM course AS c JOIN course_booking AS b ON b.course_id = c.id WHERE b.status = 'booked' GROUP BY c.id HAVING count(*) > max(c.places);
-- end part
