/* SPDX-License-Identifier: BSD-2-Clause */
/* Groups made by SQL, for the tests of what is read of them. Include it after calls.h and db.h. */
#ifndef TIDINGS_T_STORE_GROUP_ROWS_H
#define TIDINGS_T_STORE_GROUP_ROWS_H

#include "core/base.h"

#include <inttypes.h>

#include "store/group.h"

/* SQL for a moment: so many seconds after one that is the same throughout. */
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

struct found_conversation {
	bool done;
	enum store_status status;
	struct conversation c;
};

static inline void on_found(enum store_status status, const struct conversation *c, void *arg)
{
	struct found_conversation *a = arg;
	a->status = status;
	if (c != NULL)
		a->c = keep_conversation(c);
	answered(&a->done);
}

static inline struct found_conversation find(struct store *s, const char *user, uint64_t id)
{
	struct found_conversation a = {0};
	store_find_conversation(s, str_from(user), id, on_found, &a);
	wait_for(&a.done);
	return a;
}

#endif
