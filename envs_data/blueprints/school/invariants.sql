-- <<A_class>> never has more active <<students>> than its capacity, nor a capacity beyond the seats of its <<room>>, nor a <<room>> that another one is in then.
SELECT c.id FROM <<class>> AS c JOIN <<room>> AS r ON r.id = c.<<room>>_id JOIN <<class>>_load AS l ON l.<<class>>_id = c.id
WHERE c.status = 'open' AND (l.active > c.capacity OR c.capacity > r.seats
  OR EXISTS (SELECT 1 FROM <<class>> AS d WHERE d.<<room>>_id = c.<<room>>_id AND d.id <> c.id AND d.status = 'open' AND c.weekday = d.weekday AND c.starts < d.ends AND d.starts < c.ends));

-- Nobody is active or waiting in <<a_class>> that is not open.
SELECT e.id FROM enrolment AS e JOIN <<class>> AS c ON c.id = e.<<class>>_id WHERE e.status IN ('active', 'waiting') AND c.status <> 'open';

-- No <<student>> is active in two <<classes>> that meet at the same time.
SELECT e.id FROM enrolment AS e JOIN <<class>> AS c ON c.id = e.<<class>>_id
JOIN enrolment AS f ON f.<<student>>_id = e.<<student>>_id AND f.id > e.id AND f.status = 'active' JOIN <<class>> AS d ON d.id = f.<<class>>_id
WHERE e.status = 'active' AND c.weekday = d.weekday AND c.starts < d.ends AND d.starts < c.ends;

-- No <<teacher>> is in two places at once.
SELECT b.<<teacher>>_id FROM busy AS b JOIN busy AS d ON d.<<teacher>>_id = b.<<teacher>>_id
WHERE b.starts_at < d.ends_at AND d.starts_at < b.ends_at AND (b.session_id IS NOT d.session_id OR b.lesson_id IS NOT d.lesson_id);

-- Nobody leads a session or gives a lesson in a <<subject>> beyond what they teach.
SELECT s.id FROM session AS s JOIN <<class>> AS c ON c.id = s.<<class>>_id JOIN course AS o ON o.id = c.course_id
WHERE NOT EXISTS (SELECT 1 FROM skill AS k WHERE k.<<teacher>>_id = s.<<teacher>>_id AND k.<<subject>>_id = o.<<subject>>_id AND k.top_level >= o.level)
UNION ALL
SELECT l.id FROM lesson AS l WHERE NOT EXISTS (SELECT 1 FROM skill AS k WHERE k.<<teacher>>_id = l.<<teacher>>_id AND k.<<subject>>_id = l.<<subject>>_id);

-- Nothing is planned or booked on a day the school is closed.
SELECT s.id FROM session AS s JOIN closure AS x ON s.on_date BETWEEN x.from_on AND x.to_on WHERE s.status = 'planned'
UNION ALL
SELECT l.id FROM lesson AS l JOIN closure AS x ON date(l.starts_at) BETWEEN x.from_on AND x.to_on WHERE l.status = 'booked';

-- No <<unit>> and no <<student>> has two booked lessons at the same time.
SELECT l.id FROM lesson AS l JOIN lesson AS m ON m.id > l.id AND (m.<<unit>>_id = l.<<unit>>_id OR m.<<student>>_id = l.<<student>>_id)
WHERE l.status = 'booked' AND m.status = 'booked' AND l.starts_at < m.ends_at AND m.starts_at < l.ends_at;

-- No lesson to come is booked in a <<unit>> under repair.
SELECT l.id FROM lesson AS l JOIN <<unit>> AS u ON u.id = l.<<unit>>_id WHERE l.status = 'booked' AND l.starts_at > now() AND u.status = 'repair';

-- The instalments of an invoice add up to its fee less the discount; a void invoice has none.
SELECT invoice_id FROM invoice_sum WHERE paid + owed <> iif(status = 'void', 0, total);

-- Instalments are paid in their order.
SELECT p.id FROM instalment AS p JOIN instalment AS q ON q.invoice_id = p.invoice_id AND q.part < p.part WHERE p.paid_on IS NOT NULL AND q.paid_on IS NULL;

-- Of a paid instalment it is noted how and by whom it was taken, of others nothing.
SELECT id FROM instalment WHERE (paid_on IS NULL) <> (method IS NULL) OR (paid_on IS NULL) <> (taken_by IS NULL);

-- A session is made up in another <<class>> of the same course, and only if its absence was excused.
SELECT m.id FROM makeup AS m JOIN attendance AS a ON a.id = m.attendance_id JOIN session AS s ON s.id = a.session_id JOIN <<class>> AS c ON c.id = s.<<class>>_id
JOIN session AS t ON t.id = m.session_id JOIN <<class>> AS d ON d.id = t.<<class>>_id
WHERE m.status = 'booked' AND (a.mark <> 'excused' OR c.course_id <> d.course_id OR c.id = d.id);

-- No <<exam>> has more entries than seats.
SELECT x.id FROM exam AS x WHERE (SELECT count(*) FROM entry AS e WHERE e.exam_id = x.id AND e.status <> 'withdrawn') > x.seats;

-- Only done lessons are invoiced.
SELECT id FROM lesson WHERE invoice_id IS NOT NULL AND status <> 'done';
-- part hires

-- <<A_item>> is out exactly while one hire of it is open, and nobody has more than two.
SELECT i.id FROM <<item>> AS i WHERE (SELECT count(*) FROM hire AS h WHERE h.<<item>>_id = i.id AND h.returned_on IS NULL) <> (i.status = 'out')
UNION ALL
SELECT h.<<student>>_id FROM hire AS h WHERE h.returned_on IS NULL GROUP BY h.<<student>>_id HAVING count(*) > 2;
-- end part
