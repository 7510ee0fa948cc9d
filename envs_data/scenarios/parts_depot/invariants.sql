-- There is never less than nothing of a product at a location.
SELECT product_id, location_id FROM stock WHERE quantity < 0;

-- No more is promised to orders at a location than lies there, and nothing in quarantine.
SELECT product_id, location_id FROM stock WHERE reserved > quantity OR (reserved > 0 AND zone = 'quarantine');

-- A reservation is never where there has never been the product.
SELECT r.order_line_id, r.location_id FROM reservation AS r JOIN order_line AS l ON l.id = r.order_line_id
WHERE NOT EXISTS (SELECT 1 FROM stock AS s WHERE s.product_id = l.product_id AND s.location_id = r.location_id);

-- A location never holds more than its capacity.
SELECT location_id FROM location_space WHERE used > capacity;

-- Batteries never lie outside the cage or quarantine, and nothing else lies in the cage.
SELECT s.product_id, s.location_id FROM stock AS s JOIN product AS p ON p.id = s.product_id
WHERE s.quantity <> 0 AND s.zone <> 'quarantine' AND p.hazmat <> (s.zone = 'cage');

-- What lies in quarantine is exactly the returns received and not yet inspected.
SELECT p.id FROM product AS p
WHERE coalesce((SELECT sum(quantity) FROM stock WHERE product_id = p.id AND zone = 'quarantine'), 0)
  <> coalesce((SELECT sum(r.quantity) FROM rma AS r JOIN order_line AS l ON l.id = r.order_line_id WHERE r.status = 'received' AND l.product_id = p.id), 0);

-- Goods moved between locations are neither lost nor gained.
SELECT product_id, at FROM movement WHERE kind = 'transfer' GROUP BY product_id, at HAVING sum(delta) <> 0;

-- Only open parts of confirmed orders hold reservations.
SELECT order_line_id FROM line_state WHERE waiting < 0 OR (reserved > 0 AND order_status <> 'confirmed');

-- What was picked for an order line is what its movements took from stock.
SELECT l.id FROM order_line AS l WHERE picked <> coalesce((SELECT -sum(delta) FROM movement WHERE order_line_id = l.id), 0);

-- What was received on a purchase line is what its movements brought and no more than was ordered, and a purchase order is received when and only when all is.
SELECT l.id FROM po_line AS l WHERE received > quantity OR received <> coalesce((SELECT sum(delta) FROM movement WHERE po_line_id = l.id), 0)
UNION ALL
SELECT o.id FROM purchase_order AS o
WHERE (o.status = 'received') <> NOT EXISTS (SELECT 1 FROM po_line WHERE purchase_order_id = o.id AND received < quantity)
  OR (o.status IN ('draft', 'cancelled') AND EXISTS (SELECT 1 FROM po_line WHERE purchase_order_id = o.id AND received > 0));

-- A supplier never has two draft purchase orders.
SELECT supplier_id FROM purchase_order WHERE status = 'draft' GROUP BY supplier_id HAVING count(*) > 1;

-- A finished order has nothing left to do, a confirmed one has; only confirmed and completed orders have goods picked or shipments.
SELECT o.id FROM sales_order AS o
WHERE (o.status IN ('completed', 'cancelled') AND (EXISTS (SELECT 1 FROM line_state WHERE order_id = o.id AND open > 0)
    OR EXISTS (SELECT 1 FROM shipment WHERE order_id = o.id AND status = 'packed')))
  OR (o.status = 'confirmed' AND NOT EXISTS (SELECT 1 FROM line_state WHERE order_id = o.id AND open > 0)
    AND NOT EXISTS (SELECT 1 FROM shipment WHERE order_id = o.id AND status = 'packed'))
  OR (o.status NOT IN ('confirmed', 'completed') AND EXISTS (SELECT 1 FROM order_line WHERE order_id = o.id AND picked > 0))
  OR (o.status = 'completed' AND NOT EXISTS (SELECT 1 FROM order_line WHERE order_id = o.id AND picked > 0));

-- Every shipment handed over has an invoice over its goods and its fee, no other shipment has one, a cancelled one holds nothing, and no two have one tracking number.
SELECT s.id FROM shipment AS s JOIN shipment_total AS t ON t.shipment_id = s.id JOIN sales_order AS o ON o.id = s.order_id
WHERE (s.status = 'handed_over') <> EXISTS (SELECT 1 FROM ledger WHERE shipment_id = s.id AND amount = t.goods + s.fee AND customer_id = o.customer_id)
  OR (s.status <> 'handed_over' AND EXISTS (SELECT 1 FROM ledger WHERE shipment_id = s.id))
  OR (s.status = 'cancelled') <> (t.units = 0)
  OR EXISTS (SELECT 1 FROM movement AS m JOIN order_line AS l ON l.id = m.order_line_id WHERE m.shipment_id = s.id AND l.order_id <> s.order_id)
  OR EXISTS (SELECT 1 FROM shipment AS x WHERE x.tracking = s.tracking AND x.id <> s.id);

-- No more of a shipped product is coming back than was shipped, and what is credited has one credit note on that shipment's invoice.
SELECT r.id FROM rma AS r
WHERE (SELECT sum(quantity) FROM rma WHERE shipment_id = r.shipment_id AND order_line_id = r.order_line_id AND status NOT IN ('cancelled', 'rejected'))
    > (SELECT coalesce(-sum(delta), 0) FROM movement WHERE shipment_id = r.shipment_id AND order_line_id = r.order_line_id)
  OR (r.status = 'credited') <> EXISTS (SELECT 1 FROM ledger AS n JOIN ledger AS i ON i.id = n.invoice_id
    WHERE n.rma_id = r.id AND i.shipment_id = r.shipment_id AND n.customer_id = i.customer_id);

-- Payments never exceed the invoice they pay, and stand with the same customer.
SELECT invoice_id FROM invoice_balance WHERE paid > amount OR credited > amount
UNION ALL
SELECT e.id FROM ledger AS e JOIN ledger AS i ON i.id = e.invoice_id WHERE i.kind <> 'invoice' OR e.customer_id <> i.customer_id;

-- No customer owes more than the credit limit, no closed customer has a live order, orders go to the customer's own people and places, and every customer has one default address.
SELECT customer_id FROM customer_credit WHERE exposure > credit_limit
UNION ALL
SELECT o.id FROM sales_order AS o JOIN customer AS c ON c.id = o.customer_id JOIN contact AS k ON k.id = o.contact_id JOIN address AS a ON a.id = o.address_id
WHERE k.customer_id <> c.id OR a.customer_id <> c.id OR (c.status = 'closed' AND o.status IN ('quote', 'draft', 'confirmed'))
UNION ALL
SELECT c.id FROM customer AS c WHERE 1 <> (SELECT count(*) FROM address WHERE customer_id = c.id AND is_default = 1);
