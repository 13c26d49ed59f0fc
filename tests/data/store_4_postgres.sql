CREATE TABLE public.cyclesoft_runs (
    run_id bigint NOT NULL,
    date_from date NOT NULL,
    date_until date NOT NULL,
    started_at timestamp with time zone NOT NULL,
    active_at timestamp with time zone NOT NULL,
    finished_at timestamp with time zone,
    requests bigint DEFAULT '0'::bigint NOT NULL,
    orders bigint DEFAULT '0'::bigint NOT NULL,
    rejected bigint DEFAULT '0'::bigint NOT NULL,
    pages bigint DEFAULT '0'::bigint NOT NULL,
    refetched bigint DEFAULT '0'::bigint NOT NULL,
    suspicion text,
    accepts_missing boolean DEFAULT false NOT NULL
);
CREATE SEQUENCE public.cyclesoft_runs_run_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.cyclesoft_runs_run_id_seq OWNED BY public.cyclesoft_runs.run_id;
CREATE TABLE public.cyclesoft_schema (
    version integer NOT NULL,
    account text
);
CREATE TABLE public.cyclesoft_seen (
    workshop_order_id bigint NOT NULL,
    run_id bigint,
    arrived_at timestamp with time zone,
    refetched_at timestamp with time zone
);
CREATE TABLE public.cyclesoft_windows (
    run_id bigint NOT NULL,
    first_day date NOT NULL,
    last_day date NOT NULL,
    pages bigint NOT NULL,
    orders bigint NOT NULL
);
CREATE TABLE public.rejected_rows (
    id bigint NOT NULL,
    seen_at timestamp with time zone NOT NULL,
    reason text NOT NULL,
    raw bytea NOT NULL,
    path text DEFAULT '$'::text NOT NULL,
    run_id bigint,
    workshop_order_id bigint
);
CREATE SEQUENCE public.rejected_rows_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.rejected_rows_id_seq OWNED BY public.rejected_rows.id;
CREATE TABLE public.workshop_order_items (
    workshop_order_id bigint NOT NULL,
    "position" integer NOT NULL,
    item_id bigint,
    item_type_id bigint,
    special_type_id bigint,
    quantity numeric,
    barcode text,
    pos_group_id bigint,
    description text,
    unit_price_in_vat_cents bigint,
    unit_discount_amount_in_vat_cents bigint,
    price_in_vat_cents bigint,
    discount_percentage numeric,
    vat_code bigint,
    vat_percentage numeric,
    vat_amount_cents bigint,
    item_status_id bigint,
    item_status_text text,
    unit_work_time_minutes bigint,
    assigned_to_customer_id bigint,
    invoice_number bigint
);
CREATE TABLE public.workshop_orders (
    workshop_order_id bigint NOT NULL,
    sales_order_id bigint,
    customer_id bigint,
    store_id bigint,
    repair_object_id bigint,
    is_active boolean,
    reference_text text,
    mechanic_employee_id bigint,
    created_by_employee_id bigint,
    last_update_employee_id bigint,
    phone_number_id text,
    repair_description text,
    status_id bigint,
    status_text text,
    invoice_number bigint,
    borrowed_object_reference text,
    total_repair_time_minutes bigint,
    custom_repair_time_minutes bigint,
    delivery_method_id bigint,
    workshop_order_type_id bigint,
    datetime_scheduled_start timestamp with time zone,
    datetime_scheduled_finished timestamp with time zone,
    datetime_created timestamp with time zone,
    datetime_modified timestamp with time zone,
    raw text NOT NULL
);
CREATE VIEW public.workshop_orders_amsterdam AS
 SELECT workshop_order_id,
    sales_order_id,
    customer_id,
    store_id,
    repair_object_id,
    is_active,
    reference_text,
    mechanic_employee_id,
    created_by_employee_id,
    last_update_employee_id,
    phone_number_id,
    repair_description,
    status_id,
    status_text,
    invoice_number,
    borrowed_object_reference,
    total_repair_time_minutes,
    custom_repair_time_minutes,
    delivery_method_id,
    workshop_order_type_id,
    (datetime_scheduled_start AT TIME ZONE 'Europe/Amsterdam'::text) AS datetime_scheduled_start,
    (datetime_scheduled_finished AT TIME ZONE 'Europe/Amsterdam'::text) AS datetime_scheduled_finished,
    (datetime_created AT TIME ZONE 'Europe/Amsterdam'::text) AS datetime_created,
    (datetime_modified AT TIME ZONE 'Europe/Amsterdam'::text) AS datetime_modified,
    raw
   FROM public.workshop_orders;
ALTER TABLE ONLY public.cyclesoft_runs ALTER COLUMN run_id SET DEFAULT nextval('public.cyclesoft_runs_run_id_seq'::regclass);
ALTER TABLE ONLY public.rejected_rows ALTER COLUMN id SET DEFAULT nextval('public.rejected_rows_id_seq'::regclass);
INSERT INTO public.cyclesoft_runs VALUES (1, '2025-01-01', '2025-12-31', '2026-11-28 02:04:44.51303+00', '2026-11-28 02:04:44.681157+00', '2026-11-28 02:04:44.63681+00', 1, 3, 1, 1, 1, NULL, false);
INSERT INTO public.cyclesoft_schema VALUES (4, NULL);
INSERT INTO public.cyclesoft_seen VALUES (1, 1, '2026-11-28 02:04:44.568078+00', NULL);
INSERT INTO public.cyclesoft_seen VALUES (2, 1, '2026-11-28 02:04:44.568078+00', NULL);
INSERT INTO public.cyclesoft_seen VALUES (4, 1, NULL, NULL);
INSERT INTO public.cyclesoft_seen VALUES (3, 1, '2026-11-28 02:04:44.568078+00', '2026-11-28 02:04:44.677637+00');
INSERT INTO public.cyclesoft_windows VALUES (1, '2025-01-01', '2025-12-31', 1, 3);
INSERT INTO public.rejected_rows VALUES (1, '2026-11-28 02:04:44.580965+00', 'Expected `array`, got `int` - at `$.order_items`', '\x7b22776f726b73686f705f6f726465725f6964223a20342c20226f726465725f6974656d73223a20377d', '$.order_items', 1, 4);
INSERT INTO public.workshop_order_items VALUES (1, 0, 1, NULL, NULL, 2.5, '8712', NULL, NULL, NULL, NULL, NULL, NULL, NULL, 21, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.workshop_order_items VALUES (1, 1, 2, NULL, NULL, 10, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.workshop_orders VALUES (1, NULL, 1001, NULL, NULL, true, NULL, NULL, NULL, NULL, 'mob', NULL, 7, 'Gereed', NULL, NULL, NULL, NULL, NULL, NULL, '2025-07-01 07:30:00+00', NULL, NULL, '2025-07-01 06:00:00+00', '{"workshop_order_id": 1, "customer_id": 1001, "is_active": true, "status_id": 7, "status_text": "Gereed", "phone_number_id": "mob", "datetime_scheduled_start": "2025-07-01 09:30:00", "datetime_modified": "2025-07-01 08:00:00", "order_items": [{"item_id": 1, "quantity": 2.5, "vat_percentage": 21, "barcode": "8712"}, {"item_id": 2, "quantity": 10}]}');
INSERT INTO public.workshop_orders VALUES (2, NULL, NULL, NULL, NULL, true, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '2025-07-02 07:30:00+00', NULL, NULL, NULL, '{"workshop_order_id": 2, "is_active": true, "repair_description": "half\u0000 way \ud83d", "datetime_scheduled_start": "2025-07-02 09:30:00"}');
INSERT INTO public.workshop_orders VALUES (3, NULL, 1003, NULL, NULL, false, NULL, NULL, NULL, NULL, 'mob', NULL, 7, 'Gereed', NULL, NULL, NULL, NULL, NULL, NULL, '2025-07-01 07:30:00+00', NULL, NULL, '2025-07-01 06:00:00+00', '{"workshop_order_id": 3, "customer_id": 1003, "is_active": true, "status_id": 7, "status_text": "Gereed", "phone_number_id": "mob", "datetime_scheduled_start": "2025-07-01 09:30:00", "datetime_modified": "2025-07-01 08:00:00"}');
SELECT pg_catalog.setval('public.cyclesoft_runs_run_id_seq', 1, true);
SELECT pg_catalog.setval('public.rejected_rows_id_seq', 1, true);
ALTER TABLE ONLY public.cyclesoft_runs
    ADD CONSTRAINT cyclesoft_runs_pkey PRIMARY KEY (run_id);
ALTER TABLE ONLY public.cyclesoft_seen
    ADD CONSTRAINT cyclesoft_seen_pkey PRIMARY KEY (workshop_order_id);
ALTER TABLE ONLY public.cyclesoft_windows
    ADD CONSTRAINT cyclesoft_windows_pkey PRIMARY KEY (run_id, first_day, last_day);
ALTER TABLE ONLY public.rejected_rows
    ADD CONSTRAINT rejected_rows_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.workshop_order_items
    ADD CONSTRAINT workshop_order_items_pkey PRIMARY KEY (workshop_order_id, "position");
ALTER TABLE ONLY public.workshop_orders
    ADD CONSTRAINT workshop_orders_pkey PRIMARY KEY (workshop_order_id);
CREATE INDEX ix_workshop_orders_start ON public.workshop_orders USING btree (datetime_scheduled_start);
ALTER TABLE ONLY public.cyclesoft_windows
    ADD CONSTRAINT cyclesoft_windows_run_id_fkey FOREIGN KEY (run_id) REFERENCES public.cyclesoft_runs(run_id) ON DELETE CASCADE;
ALTER TABLE ONLY public.workshop_order_items
    ADD CONSTRAINT workshop_order_items_workshop_order_id_fkey FOREIGN KEY (workshop_order_id) REFERENCES public.workshop_orders(workshop_order_id) ON DELETE CASCADE;
