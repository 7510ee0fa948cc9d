-- A parcel never waits in a locker that is too small for it.
SELECT parcel.id FROM parcel JOIN locker ON locker.id = parcel.locker_id
WHERE parcel.collected_at IS NULL AND parcel.size > locker.size;

-- A parcel is never handed out before it arrives, nor in the future.
SELECT id FROM parcel WHERE date(collected_at) < arrived_on OR collected_at > now();
