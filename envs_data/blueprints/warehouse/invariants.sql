-- No more of a lot is reserved than is there.
SELECT lot_id FROM lot_stock WHERE unreserved < 0;

-- A reservation is of the <<item_word>> that the line orders, from a lot that is neither blocked nor <<stale>>.
SELECT r.id FROM reservation AS r JOIN sales_line AS sl ON sl.id = r.sales_line_id JOIN lot AS l ON l.id = r.lot_id JOIN lot_stock AS s ON s.lot_id = l.id
WHERE l.<<item>>_id <> sl.<<item>>_id OR l.status = 'blocked' OR s.<<stale>>;

-- No line has more reserved than it orders, and only lines of confirmed orders have anything reserved.
SELECT sl.id FROM line_stock AS s JOIN sales_line AS sl ON sl.id = s.sales_line_id JOIN sales_order AS o ON o.id = sl.sales_order_id
WHERE s.reserved > sl.quantity OR (s.reserved > 0 AND o.status <> 'confirmed');

-- No <<bin_word>> holds more than its capacity.
SELECT <<bin>>_id FROM <<bin>>_use WHERE room < 0;

-- A lot with stock lies where its <<item_word>> belongs, not in a closed <<bin_word>>.
SELECT l.id FROM lot AS l JOIN <<bin>> AS b ON b.id = l.<<bin>>_id JOIN <<item>> AS i ON i.id = l.<<item>>_id WHERE l.quantity > 0 AND (b.<<zone>> <> i.<<zone>> OR b.status = 'closed');

-- An order has at most one planned or dispatched shipment.
SELECT sales_order_id FROM shipment WHERE status <> 'cancelled' GROUP BY sales_order_id HAVING count(*) > 1;

-- A planned shipment is of a confirmed order of which nothing is missing, and within what its carrier takes.
SELECT s.id FROM shipment AS s JOIN sales_order AS o ON o.id = s.sales_order_id JOIN carrier AS c ON c.id = s.carrier_id JOIN order_total AS t ON t.sales_order_id = o.id
WHERE s.status = 'planned' AND (o.status <> 'confirmed' OR t.missing > 0 OR t.units > c.max_units OR t.has_<<z3>> > c.takes_<<z3>>);

-- Nobody has paid more than an invoice comes to.
SELECT invoice_id FROM invoice_balance WHERE owed_cents < 0;

-- An invoice is paid when, and only when, nothing is owed on it.
SELECT i.id FROM invoice AS i JOIN invoice_balance AS b ON b.invoice_id = i.id WHERE (i.status = 'paid') <> (b.owed_cents = 0);

-- An order is shipped when, and only when, it has been dispatched and invoiced.
SELECT o.id FROM sales_order AS o WHERE (o.status = 'shipped') <> EXISTS (SELECT 1 FROM invoice WHERE sales_order_id = o.id)
  OR (o.status = 'shipped') <> EXISTS (SELECT 1 FROM shipment WHERE sales_order_id = o.id AND status = 'dispatched');

-- No customer owes and has confirmed more than the credit limit.
SELECT customer_id FROM customer_account WHERE left_cents < 0;

-- No price break is below cost, nor as high as the list price.
SELECT p.id FROM price_break AS p JOIN <<item>> AS i ON i.id = p.<<item>>_id WHERE p.unit_cents < i.cost_cents OR p.unit_cents >= i.list_cents;

-- A purchase order is for <<items_word>> of its own supplier.
SELECT pl.id FROM purchase_line AS pl JOIN purchase_order AS po ON po.id = pl.purchase_order_id JOIN <<item>> AS i ON i.id = pl.<<item>>_id WHERE i.supplier_id <> po.supplier_id;

-- part returns
-- No more comes back of a line than was shipped.
SELECT sl.id FROM sales_line AS sl JOIN goods_return AS g ON g.sales_line_id = sl.id WHERE g.status <> 'declined' GROUP BY sl.id HAVING sum(g.quantity) > max(sl.quantity);
-- end part

-- part counts
-- A lot has at most one open count.
SELECT lot_id FROM stock_count WHERE status = 'open' GROUP BY lot_id HAVING count(*) > 1;
-- end part
