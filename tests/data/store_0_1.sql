CREATE TABLE workshop_orders (
    workshop_order_id BIGINT NOT NULL,
    sales_order_id BIGINT,
    customer_id BIGINT,
    store_id BIGINT,
    repair_object_id BIGINT,
    is_active BOOLEAN,
    reference_text TEXT,
    datetime_scheduled_start DATETIME,
    datetime_scheduled_finished DATETIME,
    datetime_created DATETIME,
    datetime_modified DATETIME,
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
    raw TEXT NOT NULL,
    PRIMARY KEY (workshop_order_id)
);
CREATE INDEX ix_workshop_orders_datetime_scheduled_start ON workshop_orders (datetime_scheduled_start);
CREATE INDEX ix_workshop_orders_datetime_modified ON workshop_orders (datetime_modified);
CREATE INDEX ix_workshop_orders_customer_id ON workshop_orders (customer_id);
CREATE INDEX ix_workshop_orders_repair_object_id ON workshop_orders (repair_object_id);
CREATE INDEX ix_workshop_orders_status_id ON workshop_orders (status_id);
CREATE TABLE rejected_rows (
    id INTEGER NOT NULL,
    seen_at DATETIME NOT NULL,
    reason TEXT NOT NULL,
    raw BLOB NOT NULL,
    PRIMARY KEY (id)
);
CREATE TABLE workshop_order_items (
    workshop_order_id BIGINT NOT NULL,
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
);
CREATE INDEX ix_workshop_order_items_barcode ON workshop_order_items (barcode);
