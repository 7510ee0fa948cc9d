-- <<A_copy>> is on loan exactly while one loan of it is out.
SELECT c.id FROM <<copy>> AS c WHERE (c.status = 'on_loan') <> (SELECT count(*) FROM loan WHERE loan.<<copy>>_id = c.id AND loan.status = 'out');

-- <<A_copy>> is set aside exactly while one <<hold>> is ready with it.
SELECT c.id FROM <<copy>> AS c WHERE (c.status = 'set_aside') <> (SELECT count(*) FROM <<hold>> AS h WHERE h.<<copy>>_id = c.id AND h.status = 'ready');

-- <<A_copy>> is in transit exactly while one transfer of it has not arrived.
SELECT c.id FROM <<copy>> AS c WHERE (c.status = 'in_transit') <> (SELECT count(*) FROM transfer AS t WHERE t.<<copy>>_id = c.id AND t.status <> 'arrived');

-- <<A_copy>> is in repair exactly while one repair of it is open.
SELECT c.id FROM <<copy>> AS c WHERE (c.status = 'in_repair') <> (SELECT count(*) FROM repair AS r WHERE r.<<copy>>_id = c.id AND r.status = 'open');

-- <<A_copy>> is lost exactly while a loan of it is marked lost.
SELECT c.id FROM <<copy>> AS c WHERE (c.status = 'lost') <> (SELECT count(*) FROM loan WHERE loan.<<copy>>_id = c.id AND loan.status = 'lost');

-- What is set aside is of the <<work>> that was asked for, and stands where it will be collected.
SELECT h.id FROM <<hold>> AS h JOIN <<copy>> AS c ON c.id = h.<<copy>>_id
WHERE h.status = 'ready' AND (c.<<work>>_id <> h.<<work>>_id OR c.<<branch>>_id <> h.<<branch>>_id);

-- No shelf holds more than it has room for.
SELECT b.id FROM <<branch>> AS b WHERE (SELECT count(*) FROM <<hold>> AS h WHERE h.<<branch>>_id = b.id AND h.status = 'ready') > b.shelf;

-- Nobody has more out than the <<category>> allows.
SELECT <<member>>_id FROM account WHERE loans > max_loans;

-- Nobody has more open <<holds>> than the <<category>> allows.
SELECT <<member>>_id FROM account WHERE open_<<holds>> > max_<<holds>>;

-- Nobody waits twice for one <<work>>.
SELECT <<work>>_id, <<member>>_id FROM <<hold>> WHERE status IN ('waiting', 'ready') GROUP BY <<work>>_id, <<member>>_id HAVING count(*) > 1;

-- A charge is paid exactly when nothing of it is owed, and never paid beyond its amount; a waived one was not paid.
SELECT c.id FROM charge AS c JOIN charge_sum AS s ON s.charge_id = c.id
WHERE s.paid > c.amount OR (c.status = 'paid') <> (s.paid = c.amount) OR (c.status = 'waived' AND s.paid > 0);

-- A charge for a loan is on the card of whoever borrowed, unless the loan is still out.
SELECT c.id FROM charge AS c JOIN loan ON loan.id = c.loan_id WHERE loan.<<member>>_id <> c.<<member>>_id OR loan.status = 'out';

-- No courier run carries more than it has room for, or along another way.
SELECT courier_run_id FROM run_load WHERE free < 0
UNION ALL
SELECT t.id FROM transfer AS t JOIN courier_run AS r ON r.id = t.courier_run_id
WHERE t.from_<<branch>>_id <> r.from_<<branch>>_id OR t.to_<<branch>>_id <> r.to_<<branch>>_id;

-- A run that is done has delivered; one that is not done has not, and a cancelled one carries nothing.
SELECT t.id FROM transfer AS t JOIN courier_run AS r ON r.id = t.courier_run_id WHERE (t.status = 'arrived') <> (r.status = 'done') OR r.status = 'cancelled';

-- part events
-- No <<event>> has more booked than places, and nobody has two places at one.
SELECT e.id FROM <<event>> AS e WHERE (SELECT count(*) FROM place AS p WHERE p.<<event>>_id = e.id AND p.status = 'booked') > e.places
UNION ALL
SELECT <<event>>_id FROM place WHERE status <> 'cancelled' GROUP BY <<event>>_id, <<member>>_id HAVING count(*) > 1;
-- end part

-- part purchases
-- No fund is overspent.
SELECT <<branch>>_id FROM fund_sum WHERE left_over < 0;

-- A suggestion is ordered while an order of it is under way, and bought once it has come.
SELECT s.id FROM suggestion AS s
WHERE (s.status = 'ordered') <> (SELECT count(*) FROM purchase_order AS o JOIN quote AS q ON q.id = o.quote_id WHERE q.suggestion_id = s.id AND o.status = 'sent')
  OR (s.status = 'bought') <> (SELECT count(*) FROM purchase_order AS o JOIN quote AS q ON q.id = o.quote_id WHERE q.suggestion_id = s.id AND o.status = 'received');
-- end part
