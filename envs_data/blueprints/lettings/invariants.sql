-- No <<unit>> has two running <<leases>> at one time.
SELECT a.id FROM <<lease>> AS a JOIN <<lease>> AS b ON b.<<unit>>_id = a.<<unit>>_id AND b.id > a.id
WHERE a.status = 'running' AND b.status = 'running' AND a.starts_on <= coalesce(b.ends_on, '9999') AND b.starts_on <= coalesce(a.ends_on, '9999');

-- No running <<lease>> is of a closed <<unit>>.
SELECT l.id FROM <<lease>> AS l JOIN <<unit>> AS u ON u.id = l.<<unit>>_id WHERE l.status = 'running' AND u.status = 'closed';

-- No more was received for a charge than its amount.
SELECT charge_id FROM charge_sum WHERE paid > amount;

-- Nothing was received for a waived charge.
SELECT c.id FROM charge AS c JOIN payment AS p ON p.charge_id = c.id WHERE c.waived = 1 AND p.status = 'received';

-- Rent is charged once for a <<lease>> and a day.
SELECT a.id FROM charge AS a JOIN charge AS b ON b.<<lease>>_id = a.<<lease>>_id AND b.due_on = a.due_on AND b.id > a.id WHERE a.kind = 'rent' AND b.kind = 'rent';

-- A late fee is for a rent charge of the same <<lease>>, and nothing else is for a charge.
SELECT f.id FROM charge AS f LEFT JOIN charge AS r ON r.id = f.late_charge_id
WHERE (f.kind = 'late fee') <> (f.late_charge_id IS NOT NULL) OR f.late_charge_id IS NOT NULL AND r.id IS NULL OR r.<<lease>>_id <> f.<<lease>>_id OR r.kind <> 'rent';

-- Deductions never exceed the deposit, and what was returned is the rest of it.
SELECT l.id FROM <<lease>> AS l WHERE (SELECT coalesce(sum(amount), 0) FROM deduction WHERE <<lease>>_id = l.id) > l.deposit
  OR (l.status = 'ended' AND l.deposit_returned <> l.deposit - (SELECT coalesce(sum(amount), 0) FROM deduction WHERE <<lease>>_id = l.id));

-- A <<card_w>> is only with <<a_tenant>> of its own <<unit>>, whose <<lease>> is running.
SELECT k.id FROM <<card>> AS k JOIN <<lease>> AS l ON l.id = k.<<lease>>_id WHERE l.<<unit>>_id <> k.<<unit>>_id OR l.status <> 'running';

-- At most three <<cards_w>> are out for one <<lease>>.
SELECT <<lease>>_id FROM <<card>> WHERE <<lease>>_id IS NOT NULL GROUP BY <<lease>>_id HAVING count(*) > 3;

-- Nobody of the staff is at two places at one time.
SELECT a.entry_id FROM diary AS a JOIN diary AS b ON b.staff_id = a.staff_id AND b.starts_at = a.starts_at AND (b.what, b.entry_id) > (a.what, a.entry_id);

-- An ordered job has exactly one approved quote at most, and no job that is reported has one.
SELECT j.id FROM job AS j WHERE (SELECT count(*) FROM quote WHERE job_id = j.id AND status = 'approved') > CASE WHEN j.status = 'reported' THEN 0 ELSE 1 END;

-- Quotes are only open while their job is reported.
SELECT q.id FROM quote AS q JOIN job AS j ON j.id = q.job_id WHERE q.status = 'offered' AND j.status <> 'reported';

-- A <<lease>> has one proposed rent review at most, and none when it has ended.
SELECT r.id FROM rent_review AS r JOIN <<lease>> AS l ON l.id = r.<<lease>>_id
WHERE r.status = 'proposed' AND (l.status = 'ended' OR EXISTS (SELECT 1 FROM rent_review AS o WHERE o.<<lease>>_id = r.<<lease>>_id AND o.status = 'proposed' AND o.id <> r.id));

-- A contractor works only in the trade of the job.
SELECT j.id FROM job AS j JOIN contractor AS c ON c.id = j.contractor_id WHERE c.trade <> j.trade;

-- part meters
-- A meter never runs backwards.
SELECT b.id FROM reading AS a JOIN reading AS b ON b.<<unit>>_id = a.<<unit>>_id AND b.read_on > a.read_on WHERE b.value < a.value;
-- end part

-- part parking
-- No <<lease>> that is running has two <<bays_w>>.
SELECT l.id FROM <<bay>> AS b JOIN <<lease>> AS l ON l.id = b.<<lease>>_id WHERE l.status = 'running' GROUP BY l.id HAVING count(*) > 1;
-- end part
