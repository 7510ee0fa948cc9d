-- No <<thing>> is in for two open <<jobs_word>> at once.
SELECT <<thing>>_id FROM <<job>> WHERE status IN ('quoted', 'approved', 'working', 'ready') GROUP BY <<thing>>_id HAVING count(*) > 1;

-- No <<bench>> holds two <<jobs_word>>.
SELECT <<bench>>_id FROM <<job>> WHERE <<bench>>_id IS NOT NULL GROUP BY <<bench>>_id HAVING count(*) > 1;

-- Nothing is worked on at a <<bench>> that is too small for it, or closed.
SELECT j.id FROM <<job>> AS j JOIN <<bench>> AS b ON b.id = j.<<bench>>_id JOIN <<thing>> AS t ON t.id = j.<<thing>>_id WHERE t.<<size>> > b.max_<<size>> OR b.status = 'closed';

-- No <<job_word>> comes to more than its customer approved.
SELECT j.id FROM <<job>> AS j JOIN <<job>>_sum AS s ON s.<<job>>_id = j.id WHERE s.total_cents > j.approved_cents;

-- Nothing is approved without lines.
SELECT j.id FROM <<job>> AS j WHERE j.approved_cents IS NOT NULL AND NOT EXISTS (SELECT 1 FROM work_line WHERE <<job>>_id = j.id);

-- Nobody has paid more than there is to pay, or less than nothing; what is declined holds no money.
SELECT <<job>>_id FROM <<job>>_sum WHERE owed_cents < 0 OR paid_cents < 0;

-- What was collected has been paid.
SELECT j.id FROM <<job>> AS j JOIN <<job>>_sum AS s ON s.<<job>>_id = j.id WHERE j.status IN ('collected', 'declined') AND s.owed_cents <> 0;

-- No work has started without its deposit.
SELECT j.id FROM <<job>> AS j JOIN <<job>>_sum AS s ON s.<<job>>_id = j.id WHERE j.status IN ('working', 'ready') AND s.paid_cents < s.deposit_cents;

-- Nobody holds more minutes of work than they may.
SELECT <<mechanic>>_id FROM <<mechanic>>_load WHERE free_minutes < 0;

-- Work in hand is within the trades of whoever holds it.
SELECT l.id FROM work_line AS l JOIN service AS v ON v.id = l.service_id JOIN <<job>> AS j ON j.id = l.<<job>>_id
WHERE j.status IN ('approved', 'working') AND j.<<mechanic>>_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM skill AS k WHERE k.<<mechanic>>_id = j.<<mechanic>>_id AND k.trade_id = v.trade_id);

-- Whoever is away works on nothing.
SELECT j.id FROM <<job>> AS j JOIN <<mechanic>> AS m ON m.id = j.<<mechanic>>_id WHERE j.status = 'working' AND m.status = 'away';

-- A redo is free.
SELECT j.id FROM <<job>> AS j JOIN work_line AS l ON l.<<job>>_id = j.id WHERE j.redo = 1 AND l.unit_cents > 0;

-- The redo of an accepted complaint is one, and for the same <<thing>>.
SELECT k.id FROM complaint AS k JOIN <<job>> AS o ON o.id = k.<<job>>_id JOIN <<job>> AS j ON j.id = k.redo_<<job>>_id WHERE j.redo = 0 OR o.<<thing>>_id <> j.<<thing>>_id;

-- There is at most one open order for a part.
SELECT part_id FROM part_order WHERE status = 'open' GROUP BY part_id HAVING count(*) > 1;

-- A <<job_word>> has at most one open complaint, and has been collected.
SELECT c.<<job>>_id FROM complaint AS c JOIN <<job>> AS j ON j.id = c.<<job>>_id WHERE c.status = 'open' GROUP BY c.<<job>>_id HAVING count(*) > 1 OR max(j.status <> 'collected');

-- Each <<loaner_word>> is with one customer at a time.
SELECT <<loaner>>_id FROM loan WHERE back_on IS NULL GROUP BY <<loaner>>_id HAVING count(*) > 1;

-- Nobody keeps a <<loaner_word>> after collecting, or has two for one <<job_word>>.
SELECT l.<<job>>_id FROM loan AS l JOIN <<job>> AS j ON j.id = l.<<job>>_id WHERE l.back_on IS NULL GROUP BY l.<<job>>_id HAVING count(*) > 1 OR max(j.status IN ('collected', 'declined'));

-- part reminders
-- No <<thing>> has two planned reminders.
SELECT <<thing>>_id FROM reminder WHERE status = 'planned' GROUP BY <<thing>>_id HAVING count(*) > 1;
-- end part
