-- Nobody on the staff, no room and no animal has two visits at the same time.
SELECT a.appointment_id, b.appointment_id AS other FROM busy AS a JOIN busy AS b
  ON a.appointment_id < b.appointment_id AND (a.staff_id = b.staff_id OR a.room_id = b.room_id OR a.animal_id = b.animal_id)
WHERE a.starts_at < b.ends_at AND a.ends_at > b.starts_at;
-- A booked visit lies within a shift of the one who does it.
SELECT id FROM appointment AS a WHERE status IN ('booked', 'arrived') AND NOT EXISTS (SELECT 1 FROM shift AS s WHERE s.staff_id = a.staff_id AND s.starts_at <= a.starts_at AND s.ends_at >= a.ends_at);
-- A visit has the role, the kind of room and the length of its type, and starts on the quarter hour.
SELECT a.id FROM appointment AS a JOIN appointment_type AS t ON t.id = type_id JOIN staff ON staff.id = staff_id JOIN room ON room.id = room_id
WHERE staff.role <> t.role OR room.kind <> t.room_kind OR a.ends_at <> strftime('%Y-%m-%dT%H:%M:%S', a.starts_at, '+' || t.minutes || ' minutes') OR CAST(strftime('%M', a.starts_at) AS INTEGER) % 15 <> 0;
-- Who has arrived is here today; what is done or missed is not to come.
SELECT id FROM appointment WHERE status = 'arrived' AND date(starts_at) <> date(now()) OR status = 'done' AND date(starts_at) > date(now()) OR status = 'no_show' AND starts_at > now();
-- No kennel has two animals in one night, and no animal two kennels.
SELECT a.id, b.id AS other FROM kennel_stay AS a JOIN kennel_stay AS b ON (a.room_id = b.room_id OR a.animal_id = b.animal_id) AND a.id < b.id AND a.from_on < b.to_on AND a.to_on > b.from_on
WHERE a.status <> 'cancelled' AND b.status <> 'cancelled';
-- A kennel is for its species, and whoever is in one came by today and has not outstayed.
SELECT s.id FROM kennel_stay AS s JOIN room ON room.id = room_id JOIN animal ON animal.id = animal_id
WHERE room.kind <> 'kennel' OR room.species <> animal.species OR s.status = 'in' AND (s.from_on > date(now()) OR s.to_on < date(now()));
-- Nothing is left open for a deceased animal.
SELECT id FROM animal WHERE status = 'deceased' AND (
  EXISTS (SELECT 1 FROM appointment WHERE animal_id = animal.id AND status IN ('booked', 'arrived'))
  OR EXISTS (SELECT 1 FROM kennel_stay WHERE animal_id = animal.id AND status IN ('booked', 'in'))
  OR EXISTS (SELECT 1 FROM waiting WHERE animal_id = animal.id AND status = 'waiting')
  OR EXISTS (SELECT 1 FROM prescription WHERE animal_id = animal.id AND status = 'open'));
-- An animal waits once for a type of visit, and a served entry has a visit of its animal and type.
SELECT w.id FROM waiting AS w LEFT JOIN appointment AS a ON a.id = w.appointment_id
WHERE w.status = 'booked' AND (a.animal_id <> w.animal_id OR a.type_id <> w.type_id)
  OR w.status = 'waiting' AND EXISTS (SELECT 1 FROM waiting AS v WHERE v.status = 'waiting' AND v.animal_id = w.animal_id AND v.type_id = w.type_id AND v.id <> w.id);
-- The stock of a batch is what came in less what went out on bills.
SELECT id FROM batch WHERE on_hand <> received - (SELECT coalesce(sum(quantity), 0) FROM invoice_line WHERE batch_id = batch.id);
-- A prescription has been supplied as often as it was billed, each time in full, for its animal, from a batch of its medicine, within its term.
SELECT p.id FROM prescription AS p WHERE supplied <> (SELECT count(*) FROM invoice_line WHERE prescription_id = p.id)
  OR EXISTS (SELECT 1 FROM invoice_line AS l JOIN batch ON batch.id = batch_id WHERE prescription_id = p.id AND (batch.medicine_id <> p.medicine_id OR l.animal_id <> p.animal_id
    OR l.quantity <> p.quantity OR l.added_on NOT BETWEEN p.written_on AND p.valid_until OR batch.expires_on < l.added_on));
-- A vaccine is for its species, and no dose comes from the future.
SELECT v.id FROM vaccination AS v JOIN medicine ON medicine.id = medicine_id JOIN animal ON animal.id = animal_id WHERE medicine.species IS NOT animal.species OR v.given_on > date(now());
-- A bill is paid when nothing is owed on it, an issued one owes something, and drafts and void bills hold no money.
SELECT invoice_id FROM invoice_sum WHERE CASE status WHEN 'paid' THEN total_cents <> paid_cents WHEN 'issued' THEN paid_cents NOT BETWEEN 0 AND total_cents - 1 ELSE paid_cents <> 0 END;
-- The lines of a bill are for animals of its owner; visits and stays on it are done, of the same animal, and stays charge each night.
SELECT l.id FROM invoice_line AS l JOIN invoice ON invoice.id = invoice_id JOIN animal ON animal.id = l.animal_id
  LEFT JOIN appointment AS a ON a.id = appointment_id LEFT JOIN kennel_stay AS s ON s.id = stay_id
WHERE animal.owner_id <> invoice.owner_id OR a.animal_id <> l.animal_id OR a.status <> 'done' OR s.animal_id <> l.animal_id OR s.status <> 'out'
  OR l.quantity <> julianday(s.to_on) - julianday(s.from_on);
-- Open claims never ask for more than the bill owes, nor the claims of a policy for more than its limit; one policy claims once for a bill.
SELECT 'bill' AS what, invoice_id AS id FROM invoice_sum WHERE claimed_cents > owed_cents
UNION ALL SELECT 'policy', policy_id FROM policy_use WHERE left_cents < 0
UNION ALL SELECT 'twice', min(id) FROM claim WHERE status <> 'rejected' GROUP BY policy_id, invoice_id HAVING count(*) > 1;
-- What an insurer paid for a claim is on the claim's bill; a refund gives back one whole payment, once, on its bill and by its method.
SELECT 'claim' AS what, claim.id FROM claim LEFT JOIN payment ON payment.claim_id = claim.id WHERE payment.cents IS NOT claim.paid_cents OR payment.invoice_id <> claim.invoice_id OR payment.kind = 'refund'
UNION ALL SELECT 'refund', r.id FROM payment AS r JOIN payment AS p ON p.id = r.refund_of WHERE r.cents <> p.cents OR r.method <> p.method OR r.invoice_id <> p.invoice_id OR p.kind <> 'payment'
UNION ALL SELECT 'twice', min(id) FROM payment WHERE refund_of IS NOT NULL GROUP BY refund_of HAVING count(*) > 1;
-- No phone belongs to two owners, and no chip to two animals.
SELECT 'phone' AS what, min(id) AS id FROM owner GROUP BY replace(phone, ' ', '') HAVING count(*) > 1
UNION ALL SELECT 'chip', min(id) FROM animal WHERE chip IS NOT NULL GROUP BY chip HAVING count(*) > 1;
