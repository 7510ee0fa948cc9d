-- No sailing has more passengers than seats, nor more vehicles than deck.
SELECT sailing_id FROM sailing_load WHERE free_seats < 0 OR free_cm < 0;

-- No vessel makes two sailings at the same time.
SELECT a.sailing_id, b.sailing_id AS other FROM sailing_load AS a JOIN sailing_load AS b ON a.vessel_id = b.vessel_id AND a.sailing_id < b.sailing_id
WHERE a.status <> 'cancelled' AND b.status <> 'cancelled' AND a.departs_at < b.arrives_at AND a.arrives_at > b.departs_at;

-- No vessel sails on a day it is out of service, and no day of a vessel is in two closures.
SELECT s.id FROM sailing AS s JOIN closure AS c ON c.vessel_id = s.vessel_id AND date(s.departs_at) BETWEEN c.from_on AND c.to_on WHERE s.status = 'open'
UNION ALL
SELECT a.id FROM closure AS a JOIN closure AS b ON b.vessel_id = a.vessel_id AND b.id > a.id AND b.from_on <= a.to_on AND b.to_on >= a.from_on;

-- What has sailed has departed, and what is open has not.
SELECT id FROM sailing WHERE status = 'sailed' AND departs_at > now() OR status = 'open' AND departs_at <= now();

-- Nobody is on board who has not paid, nor of a cancelled sailing, nor before the day it departs.
SELECT b.booking_id FROM booking_due AS b JOIN sailing ON sailing.id = b.sailing_id
WHERE b.status = 'boarded' AND (due_cents > 0 OR sailing.status = 'cancelled' OR date(departs_at) > date(now()));

-- Nobody gets back more than was paid.
SELECT booking_id FROM booking_due WHERE paid_cents < 0;

-- A customer waits once for a sailing, and only for one that is open; a served entry has a booking of its customer.
SELECT w.id FROM waiting AS w JOIN sailing ON sailing.id = w.sailing_id LEFT JOIN booking AS b ON b.id = w.booking_id
WHERE w.status = 'waiting' AND sailing.status <> 'open' OR b.customer_id <> w.customer_id
  OR w.status = 'waiting' AND EXISTS (SELECT 1 FROM waiting AS v WHERE v.status = 'waiting' AND v.id <> w.id AND v.sailing_id = w.sailing_id AND v.customer_id = w.customer_id);

-- No phone belongs to two customers.
SELECT min(id) AS id FROM customer GROUP BY replace(phone, ' ', '') HAVING count(*) > 1;
