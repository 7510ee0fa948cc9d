-- What was set aside or sent from a lot and what is left of it never come to more than was banked.
SELECT lot.id FROM lot JOIN request ON request.lot_id = lot.id GROUP BY lot.id HAVING sum(grams) + grams_left > grams_banked;
-- No unit holds more than it has room for.
SELECT id FROM unit_now WHERE used_grams > capacity_grams;
-- Seed lies in the kind of unit that its species needs.
SELECT lot_now.id FROM lot_now JOIN unit ON unit.id = unit_id WHERE unit.kind <> storage AND lot_now.status <> 'discarded';
-- The base lot and an active lot of one accession are never in the same unit: one failure must not take both.
SELECT b.id, a.id AS other FROM lot AS b JOIN lot AS a ON a.accession_id = b.accession_id AND a.unit_id = b.unit_id
WHERE b.kind = 'base' AND a.kind = 'active' AND b.status <> 'discarded' AND a.status <> 'discarded';
-- An accession has one base lot at most.
SELECT accession_id FROM lot WHERE kind = 'base' AND status <> 'discarded' GROUP BY accession_id HAVING count(*) > 1;
-- A request is met from an active lot of the species that was asked for, through a shipment to the institution that asked.
SELECT request.id FROM request JOIN lot_now ON lot_now.id = lot_id JOIN shipment ON shipment.id = shipment_id
WHERE lot_now.kind <> 'active' OR lot_now.species_id <> request.species_id OR shipment.institution_id <> request.institution_id;
-- What is being packed is set aside, and what was sent is sent.
SELECT request.id FROM request JOIN shipment ON shipment.id = shipment_id WHERE (request.status = 'sent') <> (shipment.status = 'sent');
-- No shipment is empty.
SELECT id FROM shipment WHERE NOT EXISTS (SELECT 1 FROM request WHERE shipment_id = shipment.id);
-- Nothing is set aside from a lot in quarantine or one that was discarded.
SELECT request.id FROM request JOIN lot ON lot.id = lot_id WHERE request.status = 'allocated' AND lot.status <> 'banked';
-- Seed of protected species is asked for by those who research or restore, or not given.
SELECT request.id FROM request JOIN species ON species.id = species_id
WHERE protected AND purpose NOT IN ('research', 'restoration') AND status NOT IN ('declined', 'withdrawn');
-- Only active lots that are not discarded are under test, and seed analysts do it.
SELECT test.id FROM test JOIN lot ON lot.id = lot_id JOIN staff ON staff.id = analyst_id
WHERE test.status = 'running' AND (lot.kind <> 'active' OR lot.status = 'discarded') OR role <> 'seed analyst';
-- A unit that is defrosting is empty.
SELECT id FROM unit_now WHERE status = 'defrosting' AND used_grams > 0;
