BEGIN TRANSACTION;
CREATE TABLE cyclesoft_runs (
	run_id INTEGER NOT NULL, 
	date_from DATE NOT NULL, 
	date_until DATE NOT NULL, 
	started_at DATETIME NOT NULL, 
	active_at DATETIME NOT NULL, 
	finished_at DATETIME, 
	requests BIGINT DEFAULT '0' NOT NULL, 
	orders BIGINT DEFAULT '0' NOT NULL, 
	rejected BIGINT DEFAULT '0' NOT NULL, 
	pages BIGINT DEFAULT '0' NOT NULL, 
	refetched BIGINT DEFAULT '0' NOT NULL, 
	suspicion TEXT, 
	accepts_missing BOOLEAN DEFAULT 0 NOT NULL, 
	PRIMARY KEY (run_id)
);
INSERT INTO "cyclesoft_runs" VALUES(1,'2025-01-01','2025-12-31','2026-11-28 02:04:28.523736','2026-11-28 02:04:28.611423','2026-11-28 02:04:28.577167',1,3,1,1,1,NULL,0);
CREATE TABLE cyclesoft_schema (
	version INTEGER NOT NULL, 
	account TEXT
);
INSERT INTO "cyclesoft_schema" VALUES(4,NULL);
CREATE TABLE cyclesoft_seen (
	workshop_order_id INTEGER NOT NULL, 
	run_id BIGINT, 
	arrived_at DATETIME, 
	refetched_at DATETIME, 
	PRIMARY KEY (workshop_order_id)
);
INSERT INTO "cyclesoft_seen" VALUES(1,1,'2026-11-28 02:04:28.553578',NULL);
INSERT INTO "cyclesoft_seen" VALUES(2,1,'2026-11-28 02:04:28.553578',NULL);
INSERT INTO "cyclesoft_seen" VALUES(3,1,'2026-11-28 02:04:28.553578','2026-11-28 02:04:28.611008');
INSERT INTO "cyclesoft_seen" VALUES(4,1,NULL,NULL);
CREATE TABLE cyclesoft_windows (
	run_id INTEGER NOT NULL, 
	first_day DATE NOT NULL, 
	last_day DATE NOT NULL, 
	pages BIGINT NOT NULL, 
	orders BIGINT NOT NULL, 
	PRIMARY KEY (run_id, first_day, last_day), 
	FOREIGN KEY(run_id) REFERENCES cyclesoft_runs (run_id) ON DELETE CASCADE
);
INSERT INTO "cyclesoft_windows" VALUES(1,'2025-01-01','2025-12-31',1,3);
CREATE TABLE rejected_rows (
	id INTEGER NOT NULL, 
	seen_at DATETIME NOT NULL, 
	reason TEXT NOT NULL, 
	raw BLOB NOT NULL, 
	path TEXT DEFAULT '$' NOT NULL, 
	run_id BIGINT, 
	workshop_order_id BIGINT, 
	PRIMARY KEY (id)
);
INSERT INTO "rejected_rows" VALUES(1,'2026-11-28 02:04:28.553660','Expected `array`, got `int` - at `$.order_items`',X'7B22776F726B73686F705F6F726465725F6964223A20342C20226F726465725F6974656D73223A20377D','$.order_items',1,4);
CREATE TABLE workshop_order_items (
	workshop_order_id INTEGER NOT NULL, 
	position INTEGER NOT NULL, 
	item_id BIGINT, 
	item_type_id BIGINT, 
	special_type_id BIGINT, 
	quantity TEXT, 
	barcode TEXT, 
	pos_group_id BIGINT, 
	description TEXT, 
	unit_price_in_vat_cents BIGINT, 
	unit_discount_amount_in_vat_cents BIGINT, 
	price_in_vat_cents BIGINT, 
	discount_percentage TEXT, 
	vat_code BIGINT, 
	vat_percentage TEXT, 
	vat_amount_cents BIGINT, 
	item_status_id BIGINT, 
	item_status_text TEXT, 
	unit_work_time_minutes BIGINT, 
	assigned_to_customer_id BIGINT, 
	invoice_number BIGINT, 
	PRIMARY KEY (workshop_order_id, position), 
	FOREIGN KEY(workshop_order_id) REFERENCES workshop_orders (workshop_order_id) ON DELETE CASCADE
)
 WITHOUT ROWID

;
INSERT INTO "workshop_order_items" VALUES(1,0,1,NULL,NULL,'2.5','8712',NULL,NULL,NULL,NULL,NULL,NULL,NULL,'21',NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "workshop_order_items" VALUES(1,1,2,NULL,NULL,'10',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
CREATE TABLE workshop_orders (
	workshop_order_id INTEGER NOT NULL, 
	sales_order_id BIGINT, 
	customer_id BIGINT, 
	store_id BIGINT, 
	repair_object_id BIGINT, 
	is_active BOOLEAN, 
	reference_text TEXT, 
	mechanic_employee_id BIGINT, 
	created_by_employee_id BIGINT, 
	last_update_employee_id BIGINT, 
	phone_number_id TEXT, 
	repair_description TEXT, 
	status_id BIGINT, 
	status_text TEXT, 
	invoice_number BIGINT, 
	borrowed_object_reference TEXT, 
	total_repair_time_minutes BIGINT, 
	custom_repair_time_minutes BIGINT, 
	delivery_method_id BIGINT, 
	workshop_order_type_id BIGINT, 
	datetime_scheduled_start DATETIME, 
	datetime_scheduled_finished DATETIME, 
	datetime_created DATETIME, 
	datetime_modified DATETIME, 
	raw TEXT NOT NULL, 
	PRIMARY KEY (workshop_order_id)
);
INSERT INTO "workshop_orders" VALUES(1,NULL,1001,NULL,NULL,1,NULL,NULL,NULL,NULL,'mob',NULL,7,'Gereed',NULL,NULL,NULL,NULL,NULL,NULL,'2025-07-01 07:30:00.000000',NULL,NULL,'2025-07-01 06:00:00.000000','{"workshop_order_id": 1, "customer_id": 1001, "is_active": true, "status_id": 7, "status_text": "Gereed", "phone_number_id": "mob", "datetime_scheduled_start": "2025-07-01 09:30:00", "datetime_modified": "2025-07-01 08:00:00", "order_items": [{"item_id": 1, "quantity": 2.5, "vat_percentage": 21, "barcode": "8712"}, {"item_id": 2, "quantity": 10}]}');
INSERT INTO "workshop_orders" VALUES(2,NULL,NULL,NULL,NULL,1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'2025-07-02 07:30:00.000000',NULL,NULL,NULL,'{"workshop_order_id": 2, "is_active": true, "repair_description": "half\u0000 way \ud83d", "datetime_scheduled_start": "2025-07-02 09:30:00"}');
INSERT INTO "workshop_orders" VALUES(3,NULL,1003,NULL,NULL,0,NULL,NULL,NULL,NULL,'mob',NULL,7,'Gereed',NULL,NULL,NULL,NULL,NULL,NULL,'2025-07-01 07:30:00.000000',NULL,NULL,'2025-07-01 06:00:00.000000','{"workshop_order_id": 3, "customer_id": 1003, "is_active": true, "status_id": 7, "status_text": "Gereed", "phone_number_id": "mob", "datetime_scheduled_start": "2025-07-01 09:30:00", "datetime_modified": "2025-07-01 08:00:00"}');
CREATE INDEX ix_workshop_orders_start ON workshop_orders (datetime_scheduled_start);
CREATE VIEW workshop_orders_amsterdam AS SELECT workshop_order_id, sales_order_id, customer_id, store_id, repair_object_id, is_active, reference_text, mechanic_employee_id, created_by_employee_id, last_update_employee_id, phone_number_id, repair_description, status_id, status_text, invoice_number, borrowed_object_reference, total_repair_time_minutes, custom_repair_time_minutes, delivery_method_id, workshop_order_type_id, datetime(datetime_scheduled_start, CASE
    WHEN datetime_scheduled_start >= date(substr(datetime_scheduled_start, 1, 4) || '-03-25', 'weekday 0') || ' 01:00:00'
    AND datetime_scheduled_start < date(substr(datetime_scheduled_start, 1, 4) || '-10-25', 'weekday 0') || ' 01:00:00'
    THEN '+2 hours' ELSE '+1 hours' END) AS datetime_scheduled_start, datetime(datetime_scheduled_finished, CASE
    WHEN datetime_scheduled_finished >= date(substr(datetime_scheduled_finished, 1, 4) || '-03-25', 'weekday 0') || ' 01:00:00'
    AND datetime_scheduled_finished < date(substr(datetime_scheduled_finished, 1, 4) || '-10-25', 'weekday 0') || ' 01:00:00'
    THEN '+2 hours' ELSE '+1 hours' END) AS datetime_scheduled_finished, datetime(datetime_created, CASE
    WHEN datetime_created >= date(substr(datetime_created, 1, 4) || '-03-25', 'weekday 0') || ' 01:00:00'
    AND datetime_created < date(substr(datetime_created, 1, 4) || '-10-25', 'weekday 0') || ' 01:00:00'
    THEN '+2 hours' ELSE '+1 hours' END) AS datetime_created, datetime(datetime_modified, CASE
    WHEN datetime_modified >= date(substr(datetime_modified, 1, 4) || '-03-25', 'weekday 0') || ' 01:00:00'
    AND datetime_modified < date(substr(datetime_modified, 1, 4) || '-10-25', 'weekday 0') || ' 01:00:00'
    THEN '+2 hours' ELSE '+1 hours' END) AS datetime_modified, raw FROM workshop_orders;
COMMIT;
