-- No account holds less than its minimum and its <<holds>>.
SELECT a.id FROM account AS a JOIN account_state AS s ON s.account_id = a.id WHERE a.status <> 'closed' AND s.available < 0;

-- A closed account holds nothing.
SELECT a.id FROM account AS a JOIN account_state AS s ON s.account_id = a.id WHERE a.status = 'closed' AND s.balance <> 0;

-- Nothing hangs on a closed account: no card in use, nothing that pays or collects, no <<hold>>, no pending notice.
SELECT a.id FROM account AS a WHERE a.status = 'closed' AND (
  EXISTS (SELECT 1 FROM card AS c WHERE c.account_id = a.id AND c.status IN ('active', 'frozen', 'in the post'))
  OR EXISTS (SELECT 1 FROM <<standing>> AS s WHERE s.account_id = a.id AND s.status = 'active') OR EXISTS (SELECT 1 FROM <<debit>> AS d WHERE d.account_id = a.id AND d.status = 'active')
  OR EXISTS (SELECT 1 FROM <<hold>> AS h WHERE h.account_id = a.id AND h.status = 'standing') OR EXISTS (SELECT 1 FROM notice AS n WHERE n.account_id = a.id AND n.status = 'pending'));

-- A card is held by a holder of its account.
SELECT c.id FROM card AS c JOIN account AS a ON a.id = c.account_id WHERE c.<<member>>_id <> a.<<member>>_id AND c.<<member>>_id IS NOT a.joint_id;

-- No account has more holders, and no card a higher limit, than the product allows.
SELECT a.id FROM account AS a JOIN product AS p ON p.id = a.product_id WHERE (a.joint_id IS NOT NULL AND p.holders = 1) OR EXISTS (SELECT 1 FROM card AS c WHERE c.account_id = a.id AND c.spend_limit > p.card_limit);

-- What pays monthly pays a <<payee>> of a holder of the account.
SELECT s.id FROM <<standing>> AS s JOIN account AS a ON a.id = s.account_id JOIN <<payee>> AS p ON p.id = s.<<payee>>_id WHERE p.<<member>>_id <> a.<<member>>_id AND p.<<member>>_id IS NOT a.joint_id;

-- A <<dispute>> is about a card payment that was made before it was opened.
SELECT d.id FROM <<dispute>> AS d JOIN entry AS e ON e.id = d.entry_id WHERE e.kind <> 'card' OR d.opened_on < e.booked_on OR d.settled_on < d.opened_on;

-- A <<dispute>> was upheld when, and only when, the money was paid back.
SELECT d.id FROM <<dispute>> AS d WHERE (d.status = 'upheld') <> EXISTS (SELECT 1 FROM entry AS r WHERE r.refund_of = d.entry_id);

-- A <<fee>> was waived when, and only when, it was paid back in full to the account it was taken from.
SELECT f.id FROM <<fee>> AS f WHERE (f.waived_on IS NOT NULL) <> EXISTS (SELECT 1 FROM entry AS r WHERE r.refund_of = f.entry_id AND r.amount = f.amount AND r.account_id = f.account_id);

-- Notices do not promise more than an account has available.
SELECT account_id FROM account_state JOIN account AS a ON a.id = account_id WHERE a.status <> 'closed' AND on_notice > available;

-- No instalment is paid while an older one of the same <<loan_word>> is not.
SELECT i.id FROM instalment AS i WHERE i.paid_on IS NOT NULL AND EXISTS (SELECT 1 FROM instalment AS o WHERE o.<<loan>>_id = i.<<loan>>_id AND o.due_on < i.due_on AND o.paid_on IS NULL);
-- part visits

-- Nobody sees two advisers on one day.
SELECT max(id) FROM <<visit>> WHERE <<member>>_id IS NOT NULL GROUP BY <<member>>_id, date(starts_at) HAVING count(*) > 1;
-- end part
