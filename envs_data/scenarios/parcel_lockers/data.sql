INSERT INTO clerk (id, name) VALUES
  (1, 'Piotr Wrona'),
  (2, 'Ines Carvalho');

INSERT INTO locker (id, size, working) VALUES
  (1, 1, 1),
  (2, 2, 1),
  (3, 2, 1),
  (4, 2, 0),
  (5, 3, 1),
  (6, 1, 1),
  (7, 1, 1),
  (8, 3, 1);

INSERT INTO parcel (id, recipient, size, code, locker_id, arrived_on, collected_at, clerk_id) VALUES
  (101, 'Ngozi Okafor',    1, '0825', 1, '2025-03-07', NULL, NULL),
  (102, 'Ngozi Okafor',    1, '4417', 6, '2025-03-10', NULL, NULL),
  (103, 'Jonas Lindqvist', 2, '3106', 3, '2025-03-08', NULL, NULL),
  (104, 'Emeka Okafor',    1, '9902', 1, '2025-03-04', '2025-03-06T10:12:00', 1),
  (105, 'Aiko Lindgren',   3, '2271', 8, '2025-03-01', NULL, NULL),
  (106, 'Jonas Lindqvist', 3, '7750', 5, '2025-02-26', '2025-03-01T17:45:00', 2);
