/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Groups made by SQL: by group_make(), as they are after what was done to them, with a system message for each who
 * joins, for tests of what is written; or by group_new(), with messages, members and times at will, for tests of what
 * is read. And recounting them from the messages.
 */
#ifndef TIDINGS_T_STORE_GROUPS_H
#define TIDINGS_T_STORE_GROUPS_H

#include "core/base.h"

#include <inttypes.h>

#include "db.h"
#include "store/store.h"

static inline unsigned long long ull(uint64_t n)
{
	return n;
}

static inline long long head_of(uint64_t group, const char *column)
{
	return db_sql("SELECT %s FROM group_heads WHERE id=%llu", column, ull(group));
}

static inline long long member_of(uint64_t group, const char *user, const char *column)
{
	return db_sql("SELECT %s FROM members WHERE user_id='%s' AND conversation_id=%llu", column, user, ull(group));
}

/* ---- as they are after what was done to them ---- */

/* A system message, which is the group's last one then. */
static inline void group_tell(uint64_t group, const char *user)
{
	db_sql("UPDATE group_heads SET last_seq=last_seq+1,uncounted_seq=last_seq,last_message_time=UTC_TIMESTAMP(3) "
	       "WHERE id=%llu;"
	       "INSERT INTO messages (id,from_user_id,to_user_id,message_type,client_msg_id,created_at) "
	       "SELECT id<<28|last_seq,'%s','',7,CONCAT(' ',id,':',last_seq),last_message_time FROM group_heads WHERE "
	       "id=%llu;"
	       "INSERT INTO uncounted SELECT id,last_seq>>6,1<<(last_seq&63) FROM group_heads WHERE id=%llu ON "
	       "DUPLICATE KEY "
	       "UPDATE bits=bits|VALUES(bits)",
	       ull(group), user, ull(group), ull(group));
}

static inline void group_add(uint64_t group, const char *user, enum group_role role)
{
	group_tell(group, user);
	db_sql("INSERT INTO members (user_id,conversation_id,role,joined_seq,first_seq,read_seq,joined_at) SELECT "
	       "'%s',id,%d,last_seq,IF(history_policy=1,last_seq,1),last_seq,UTC_TIMESTAMP(3) FROM group_heads WHERE "
	       "id=%llu;UPDATE group_heads SET member_count=member_count+1 WHERE id=%llu",
	       user, (int)role, ull(group), ull(group));
}

static inline uint64_t group_make(const char *owner)
{
	uint64_t group = (uint64_t)db_sql("INSERT INTO group_heads (sort_time,active_at,created_at) VALUES "
					  "('2020-01-01','2020-01-01','2020-01-01');SELECT LAST_INSERT_ID()");
	group_add(group, owner, GROUP_OWNER);
	return group;
}

/* Members that are in no message. */
static inline void group_fill(uint64_t group, unsigned n)
{
	db_sql("INSERT INTO members (user_id,conversation_id,role,joined_seq,first_seq,read_seq,joined_at) SELECT "
	       "CONCAT('filler',seq),%llu,3,1,1,1,UTC_TIMESTAMP(3) FROM seq_1_to_%u;"
	       "UPDATE group_heads SET member_count=member_count+%u WHERE id=%llu",
	       ull(group), n, n, ull(group));
}

/* ---- with rows at will ---- */

/* SQL for a moment: seconds after one that is the same throughout. */
#define AT(secs) "TIMESTAMP('2026-01-01')+INTERVAL (" secs ") SECOND"

/* A group of `owner` with messages 1 to last_seq, one a second from at_secs on; the first is the system's. */
static inline uint64_t group_new(const char *owner, unsigned last_seq, unsigned at_secs)
{
	db_sql("INSERT INTO group_heads (last_seq,uncounted_seq,member_count,last_message_time,sort_time,active_at,"
	       "created_at) VALUES (%u,1,0," AT("%u") "," AT("%u") "," AT("%u") "," AT("%u") ")",
	       last_seq, at_secs + last_seq, at_secs + last_seq, at_secs + last_seq, at_secs);
	uint64_t id = (uint64_t)db_sql("SELECT MAX(id) FROM group_heads");
	db_sql("INSERT INTO group_profiles (id,owner_id,name,created_by) VALUES (%" PRIu64 ",'%s','group of %s','%s')",
	       id, owner, owner, owner);
	db_sql("INSERT INTO messages (id,from_user_id,to_user_id,message_type,content,extra,client_msg_id,created_at) "
	       "SELECT (%" PRIu64
	       "<<28)+seq,'%s','',IF(seq=1,7,0),IF(seq=1,NULL,CONCAT('text ',seq)),IF(seq=1,'{}',NULL),"
	       "CONCAT('g%" PRIu64 ":',seq)," AT("%u+seq") " FROM seq_1_to_%u",
	       id, owner, id, at_secs, last_seq);
	db_sql("INSERT INTO uncounted VALUES (%" PRIu64 ",0,2)", id);
	return id;
}

static inline void group_join(uint64_t id, const char *user, enum group_role role, unsigned joined_seq,
			      unsigned first_seq, unsigned read_seq)
{
	db_sql("INSERT INTO members (user_id,conversation_id,role,joined_seq,first_seq,read_seq,joined_at) VALUES "
	       "('%s',%" PRIu64
	       ",%d,%u,%u,%u," AT("%u") ");UPDATE group_heads SET member_count=member_count+1 WHERE id=%" PRIu64,
	       user, id, role, joined_seq, first_seq, read_seq, joined_seq, id);
}

/* Runs may not touch. */
static inline void group_delete(uint64_t id, const char *user, unsigned first_seq, unsigned last_seq)
{
	db_sql("INSERT INTO deletions VALUES ('%s',%" PRIu64
	       ",%u,%u);UPDATE members SET deleted_seq=GREATEST(deleted_seq,%u) "
	       "WHERE user_id='%s' AND conversation_id=%" PRIu64,
	       user, id, first_seq, last_seq, last_seq, user, id);
}

static inline void group_recall(uint64_t id, unsigned seq)
{
	db_sql("UPDATE messages SET is_recalled=1,recalled_at=created_at,content=NULL WHERE id=(%" PRIu64 "<<28)+%u;"
	       "INSERT INTO uncounted VALUES (%" PRIu64
	       ",%u>>6,1<<(%u&63)) ON DUPLICATE KEY UPDATE bits=bits|VALUES(bits);"
	       "UPDATE group_heads SET uncounted_seq=GREATEST(uncounted_seq,%u) WHERE id=%" PRIu64,
	       id, seq, id, seq, seq, seq, id);
}

/* `user` may be everyone, "*". */
static inline void group_mention(uint64_t id, const char *user, unsigned seq)
{
	db_sql("INSERT INTO mentions SELECT '%s',%" PRIu64 ",%u,created_at FROM messages WHERE id=(%" PRIu64 "<<28)+%u;"
	       "UPDATE members SET mention_seq=GREATEST(mention_seq,%u) WHERE user_id='%s' AND conversation_id=%" PRIu64
	       ";"
	       "UPDATE group_heads SET all_seq=GREATEST(all_seq,%u) WHERE id=%" PRIu64 " AND '%s'='*'",
	       user, id, seq, id, seq, seq, user, id, seq, id, user);
}

/* ---- recounting ---- */

/* What is unread over that seq, counted from the messages. */
static inline long long group_recount(uint64_t group, const char *user, uint64_t after_seq)
{
	return db_sql("SELECT COUNT(*) FROM messages m JOIN members g ON g.conversation_id=m.id>>28 AND "
		      "g.user_id='%s' WHERE m.id>%llu AND m.id<%llu AND (m.id&268435455)>=g.first_seq AND "
		      "m.from_user_id<>'%s' AND m.message_type<>7 AND m.is_recalled=0 AND NOT EXISTS (SELECT 1 FROM "
		      "deletions d WHERE d.user_id=g.user_id AND d.conversation_id=g.conversation_id AND "
		      "(m.id&268435455) BETWEEN d.first_seq AND d.last_seq)",
		      user, ull(message_id_make(group, after_seq)), ull(message_id_make(group + 1, 0)), user);
}

static inline long long group_unread(uint64_t group, const char *user)
{
	return group_recount(group, user, (uint64_t)member_of(group, user, "read_seq"));
}

/* Unread messages that mention the user or everyone, counted from the messages. */
static inline long long group_recount_mentions(uint64_t group, const char *user)
{
	return db_sql("SELECT COUNT(*) FROM messages m JOIN members g ON g.conversation_id=m.id>>28 AND "
		      "g.user_id='%s' WHERE m.id>>28=%llu AND (m.id&268435455)>g.read_seq AND m.is_recalled=0 AND "
		      "(m.mentions='[\"*\"]' OR m.mentions LIKE '%%\"%s\"%%')",
		      user, ull(group), user);
}

static inline long long group_mentions(uint64_t group, const char *user)
{
	return db_sql(
		"SELECT COUNT(DISTINCT n.seq) FROM mentions n JOIN members g ON g.user_id='%s' AND "
		"g.conversation_id=n.conversation_id WHERE n.conversation_id=%llu AND n.user_id IN ('%s','*') AND "
		"n.seq>g.read_seq AND NOT EXISTS (SELECT 1 FROM uncounted u WHERE "
		"u.conversation_id=n.conversation_id AND u.block=n.seq>>6 AND u.bits>>(n.seq&63)&1)",
		user, ull(group), user);
}

/* How many heads and members do not say what the messages do. */
static inline long long group_wrong(void)
{
	return db_sql("SELECT COUNT(*) FROM group_heads h LEFT JOIN (SELECT m.id>>28 AS cid,COUNT(*) n,"
		      "MAX(m.id&268435455) top,MAX(m.created_at) newest,"
		      "MAX(IF(m.is_recalled OR m.message_type=7,m.id&268435455,0)) gone,"
		      "SUM(m.is_recalled OR m.message_type=7) gone_count,"
		      "SUM(m.is_recalled AND (m.content IS NOT NULL OR m.mentions IS NOT NULL)) kept,"
		      "SUM(m.is_read OR m.deleted_by_sender OR m.deleted_by_recipient OR m.to_user_id<>'') odd "
		      "FROM messages m GROUP BY m.id>>28) x ON x.cid=h.id WHERE NOT (h.last_seq=x.n AND "
		      "h.last_seq=x.top AND h.last_message_time=x.newest AND h.uncounted_seq=x.gone AND x.kept=0 AND "
		      "x.odd=0 AND x.gone_count=(SELECT COUNT(*) FROM uncounted u JOIN messages m ON "
		      "m.id>>28=u.conversation_id AND (m.id&268435455)>>6=u.block AND u.bits>>(m.id&63)&1 WHERE "
		      "u.conversation_id=h.id AND (m.is_recalled OR m.message_type=7)) AND "
		      "x.gone_count=(SELECT SUM(BIT_COUNT(u.bits)) FROM uncounted u WHERE u.conversation_id=h.id) AND "
		      "h.change_seq=(SELECT COUNT(*) FROM changes c WHERE c.conversation_id=h.id) AND "
		      "h.change_seq=(SELECT COALESCE(MAX(c.change_seq),0) FROM changes c WHERE c.conversation_id=h.id) "
		      "AND h.all_seq=(SELECT COALESCE(MAX(n.seq),0) FROM mentions n WHERE n.conversation_id=h.id AND "
		      "n.user_id='*'))") +
	       db_sql("SELECT COUNT(*) FROM members g JOIN group_heads h ON h.id=g.conversation_id WHERE NOT ("
		      "g.read_seq<=h.last_seq AND g.deleted_seq=(SELECT COALESCE(MAX(d.last_seq),0) FROM deletions d "
		      "WHERE d.user_id=g.user_id AND d.conversation_id=g.conversation_id) AND "
		      "g.mention_seq=(SELECT COALESCE(MAX(n.seq),0) FROM mentions n WHERE n.user_id=g.user_id AND "
		      "n.conversation_id=g.conversation_id) AND "
		      "NOT EXISTS (SELECT 1 FROM messages m WHERE m.id>(h.id<<28)+g.read_seq AND m.id<(h.id+1)<<28 AND "
		      "m.from_user_id=g.user_id AND m.message_type<>7))") +
	       db_sql("SELECT COUNT(*) FROM deletions a JOIN deletions b ON b.user_id=a.user_id AND "
		      "b.conversation_id=a.conversation_id AND b.first_seq>a.first_seq AND b.first_seq<=a.last_seq+1") +
	       db_sql("SELECT COUNT(*) FROM messages a JOIN messages b ON b.id=a.id+1 WHERE "
		      "b.created_at<a.created_at");
}

#endif
