-- No shift has more people than places.
SELECT shift_id FROM shift_plan WHERE taken > places;
-- Nobody has two shifts with less than eight hours of rest between them.
SELECT a.signup_id, b.signup_id AS other FROM duty AS a JOIN duty AS b ON a.volunteer_id = b.volunteer_id AND a.signup_id < b.signup_id
WHERE a.starts_at < b.rest_until AND b.starts_at < a.rest_until;
-- Whoever is booked for a shift has the age and the training for it.
SELECT signup.id FROM signup JOIN unfit ON unfit.volunteer_id = signup.volunteer_id AND unfit.shift_id = signup.shift_id WHERE signup.status = 'booked';
-- Nobody who has withdrawn is booked.
SELECT signup.id FROM signup JOIN volunteer ON volunteer.id = volunteer_id WHERE volunteer.status = 'withdrawn' AND signup.status = 'booked';
-- Nobody has worked a shift, or missed it, before it began, and nobody worked without having checked in.
SELECT signup.id FROM signup JOIN shift ON shift.id = shift_id JOIN volunteer ON volunteer.id = volunteer_id
WHERE signup.status IN ('worked', 'no_show') AND starts_at > now() OR signup.status = 'worked' AND volunteer.status = 'registered';
-- A meal voucher is for a shift that was worked, and its value goes by the length of that shift.
SELECT voucher.id FROM voucher JOIN signup ON signup.id = signup_id JOIN shift_plan AS p ON p.shift_id = signup.shift_id
WHERE signup.status <> 'worked' OR value_pence <> CASE WHEN minutes > 360 THEN 1200 ELSE 800 END;
-- A certificate holds as long as its training says, and none was passed in the future.
SELECT c.id FROM certificate AS c JOIN training ON training.id = training_id
WHERE expires_on <> date(passed_on, '+' || valid_months || ' months') OR passed_on > date(now());
-- No incident is closed before it was reported.
SELECT id FROM incident WHERE closed_at < reported_at;
