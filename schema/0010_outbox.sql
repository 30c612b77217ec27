-- SPDX-License-Identifier: BSD-2-Clause
--
-- The outbox: what transactions have to tell others, written and committed together with what they change. So whatever
-- dies after a commit, it is known that somebody has to be told.
--
-- A stream is the transactions of one connection, one after the other; n counts them from 1 without a gap, in the order
-- of commits. Its number is chosen at random. A connection begins a new stream when it does not know whether its last
-- transaction has committed, or who tells of its rows.
--
-- Each consumer has read each stream up to n, as outbox_done says; no row: nothing. The consumer 'push' is the events that
-- workers push: the process that wrote a row notes that all of its events have left, and the relay repairs what is not
-- noted for some seconds. Rows that all consumers are done with are deleted.
--
-- Which look-up each index serves:
--   outbox PRIMARY       what comes after a consumer's n; the greatest n of each stream.
--   outbox_done PRIMARY  where a consumer is.
--   relay_leases PRIMARY which relay of the cluster works for a consumer.

CREATE TABLE IF NOT EXISTS outbox (
	stream BIGINT UNSIGNED NOT NULL,
	n BIGINT UNSIGNED NOT NULL,
	-- the database's clock
	at DATETIME(3) NOT NULL,
	-- src/store/outbox_items.h
	items BLOB NOT NULL,
	PRIMARY KEY (stream, n)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS outbox_done (
	consumer VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	stream BIGINT UNSIGNED NOT NULL,
	n BIGINT UNSIGNED NOT NULL,
	-- when it moved, by the database's clock
	at DATETIME(3) NOT NULL,
	PRIMARY KEY (consumer, stream)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS relay_leases (
	consumer VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	holder VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	-- by the database's clock
	ends_at DATETIME(3) NOT NULL,
	PRIMARY KEY (consumer)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
