/* SPDX-License-Identifier: BSD-2-Clause */
/* Changes to groups for tests, as calls.h does those of messages. */
#ifndef TIDINGS_T_STORE_GROUP_CALLS_H
#define TIDINGS_T_STORE_GROUP_CALLS_H

#include "core/base.h"

#include "calls.h"
#include "db.h"
#include "store/group.h"
#include "../tap.h"

static struct store *s;

#define USERS_MAX 600

/* What an answer lends, copied. */
struct done {
	bool done, settled;
	struct store_group_done r;
	struct message m;
	struct group_member member;
	struct group_invite invite;
	char in[4096], out[80], left_out[4096]; /* "a b", "a:not_friends b:blocked" */
};

static inline void list_ids(char *out, size_t size, const struct str *ids, size_t n)
{
	size_t len = 0;
	out[0] = '\0';
	for (size_t i = 0; i < n && len < size; i++)
		len += (size_t)snprintf(out + len, size - len, "%s%.*s", i != 0 ? " " : "", (int)ids[i].len, ids[i].s);
}

static inline void on_group(const struct store_group_done *r, void *arg)
{
	struct done *d = arg;
	d->r = *r;
	d->m = (struct message){0};
	if (r->message != NULL)
		d->m = keep_message(r->message);
	if (r->member != NULL)
		d->member = *r->member;
	if (r->invite != NULL)
		d->invite = *r->invite;
	list_ids(d->in, sizeof(d->in), r->in, r->in_count);
	list_ids(d->out, sizeof(d->out), r->out, r->out_count);
	size_t len = 0;
	d->left_out[0] = '\0';
	for (size_t i = 0; i < r->left_out_count && len < sizeof(d->left_out); i++)
		len += (size_t)snprintf(d->left_out + len, sizeof(d->left_out) - len, "%s%s:%s", i != 0 ? " " : "",
					r->left_out[i].user_id, store_status_name(r->left_out[i].why));
	written(r->status, &d->done, &d->settled);
}

static inline void ask_group(struct store *at, struct store_group_op op, struct done *d)
{
	*d = (struct done){0};
	store_change_group(at, &op, on_group, d);
}

static inline struct done do_group(struct store_group_op op)
{
	static struct done d;
	ask_group(s, op, &d);
	wait_for(&d.settled);
	return d;
}

/* Words of a text, as users; good until the next call. */
static inline struct store_group_op with_users(struct store_group_op op, const char *users)
{
	static struct str list[USERS_MAX];
	static char text[USERS_MAX * 16];
	snprintf(text, sizeof(text), "%s", users);
	op.users = list;
	op.user_count = 0;
	char *rest = text;
	for (char *word; (word = strsep(&rest, " ")) != NULL;)
		if (word[0] != '\0')
			list[op.user_count++] = str_from(word);
	return op;
}

static inline struct store_group_op op_of(enum group_step step, const char *user, uint64_t id, const char *peer)
{
	return (struct store_group_op){
		.step = step, .user = str_from(user), .conversation_id = id, .peer = str_from(peer)};
}

static inline struct store_group_op create_op(const char *user, const char *users)
{
	struct store_group_op op = with_users(op_of(GROUP_CREATE, user, 0, NULL), users);
	op.sets_name = true;
	op.name = STR_LIT("Group");
	return op;
}

static inline struct store_group_op code_op(enum group_step step, const char *user, uint64_t id, const char *code)
{
	struct store_group_op op = op_of(step, user, id, NULL);
	op.code = str_from(code);
	return op;
}

static inline struct store_group_op settings_op(const char *user, uint64_t id, struct group_settings settings)
{
	struct store_group_op op = op_of(GROUP_CHANGE, user, id, NULL);
	op.sets_join = op.sets_history = op.sets_send = op.sets_add = op.sets_slow_mode = true;
	op.settings = settings;
	return op;
}

static inline struct done do_step(enum group_step step, const char *user, uint64_t id, const char *peer)
{
	return do_group(op_of(step, user, id, peer));
}

static inline struct done do_make(const char *user, const char *users)
{
	return do_group(create_op(user, users));
}

static inline struct done do_add(const char *user, uint64_t id, const char *users)
{
	return do_group(with_users(op_of(GROUP_ADD, user, id, NULL), users));
}

/* Users with that prefix and a number, each with a row, friends of `of`. */
static inline void make_users(const char *of, const char *prefix, int n)
{
	db_sql("INSERT IGNORE INTO users (id,nickname) VALUES ('%s','Nick')", of);
	for (int i = 1; i <= n; i++) {
		char id[32];
		snprintf(id, sizeof(id), "%s%d", prefix, i);
		db_sql("INSERT IGNORE INTO users (id,nickname) VALUES ('%s','Nick')", id);
		db_befriend(of, id);
	}
}

/* How many groups and users do not say what their members and messages do. */
static inline long long group_wrong(void)
{
	return db_sql("SELECT COUNT(*) FROM group_heads h LEFT JOIN (SELECT conversation_id,COUNT(*) n,SUM(role=1) "
		      "owners,"
		      "MAX(joined_seq) top FROM members GROUP BY conversation_id) m ON m.conversation_id=h.id "
		      "LEFT JOIN (SELECT id>>28 cid,COUNT(*) n,MAX(id&268435455) top,MAX(created_at) at,"
		      "MAX(IF(message_type=7,id&268435455,0)) system FROM messages WHERE id>>62=1 GROUP BY id>>28) x "
		      "ON x.cid=h.id WHERE NOT (h.member_count=COALESCE(m.n,0) AND h.last_seq=x.n AND h.last_seq=x.top "
		      "AND h.uncounted_seq=x.system AND h.last_message_time=x.at AND COALESCE(m.top,1)<=h.last_seq AND "
		      "h.sort_time>=h.last_message_time AND h.active_at>=h.sort_time AND "
		      "(h.dissolved_at IS NOT NULL OR m.owners=1))") +
	       db_sql("SELECT COUNT(*) FROM group_counts c LEFT JOIN (SELECT user_id,COUNT(*) n FROM members GROUP BY "
		      "user_id) m ON m.user_id=c.user_id WHERE c.n<>COALESCE(m.n,0)") +
	       db_sql("SELECT COUNT(*) FROM members WHERE user_id NOT IN (SELECT user_id FROM group_counts)") +
	       db_sql("SELECT COUNT(*) FROM messages m LEFT JOIN uncounted u ON u.conversation_id=m.id>>28 AND "
		      "u.block=(m.id&268435455)>>6 AND u.bits>>(m.id&63)&1 WHERE m.message_type=7 AND u.block IS "
		      "NULL") +
	       db_sql("SELECT COUNT(*) FROM messages a JOIN messages b ON b.id=a.id+1 WHERE a.id>>62=1 AND "
		      "b.created_at<a.created_at") +
	       db_sql("SELECT COUNT(*) FROM members m JOIN group_heads h ON h.id=m.conversation_id WHERE NOT "
		      "(m.first_seq<=m.joined_seq AND m.joined_seq<=m.read_seq AND m.read_seq<=h.last_seq)") +
	       db_sql("SELECT COUNT(*) FROM group_profiles p LEFT JOIN members m ON m.conversation_id=p.id AND "
		      "m.role=1 "
		      "JOIN group_heads h ON h.id=p.id WHERE h.dissolved_at IS NULL AND NOT m.user_id<=>p.owner_id") +
	       db_sql("SELECT COUNT(*) FROM members m JOIN group_bans b ON b.user_id=m.user_id AND "
		      "b.conversation_id=m.conversation_id") +
	       db_sql("SELECT COUNT(*) FROM members m JOIN group_requests r ON r.user_id=m.user_id AND "
		      "r.conversation_id=m.conversation_id");
}

static inline const char *extra(const struct done *d)
{
	return d->m.extra.s;
}

#endif
