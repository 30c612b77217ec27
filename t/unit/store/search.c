/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Searches against a recount in memory: conversations of all lengths, of which filters cover any part, with messages
 * that were edited since, recalled, deleted, expired, or are of before one's time, and many of the same millisecond.
 * Every search is followed to its last page.
 */
#include "core/base.h"

#include "one_store.h"
#include "core/clock.h"
#include "core/needle.h"
#include "core/signature.h"
#include "store/search.h"
#include "store/search_backend.h"

#define PAIRS 30
#define GROUPS 10
#define FOREIGN 4
#define CONVERSATIONS (PAIRS + GROUPS + FOREIGN)
#define LONG_ONES 3
#define LONG 9000
#define MESSAGES_MAX 60000
#define BEGIN_MS INT64_C(1700000000000)

struct sent {
	uint64_t id;
	int64_t ms;
	char from[8];
	enum message_type type;
	char text[80];
	bool hidden; /* from alice, for whatever reason */
};
static struct sent sent[MESSAGES_MAX]; /* in the order that they are found in, once that is sorted */
static size_t count;
static uint64_t conversation[CONVERSATIONS];
static struct buf sql;
static struct message_words words;
static struct needle needle;

/* ---- what there is ---- */

static const char *const vocabulary[] = {"common",
					 "common",
					 "commons",
					 "red",
					 "green",
					 "blue",
					 "Gr\xC3\xBCn",
					 "reddish",
					 "\xE4\xBD\xA0\xE5\xA5\xBD",
					 "\xE4\xB8\x96\xE7\x95\x8C",
					 "\xE4\xBD\xA0\xE5\xA5\xBD\xE4\xB8\x96\xE7\x95\x8C",
					 "x1",
					 "x22",
					 "x333"};

static void random_text(char out[80])
{
	out[0] = '\0';
	for (unsigned n = 1 + pick(4); n > 0; n--) {
		strcat(out, vocabulary[pick(ARRAY_LEN(vocabulary))]);
		if (pick(4) != 0)
			strcat(out, " ");
	}
	if (pick(400) == 0)
		strcat(out, " rare");
}

static void put(const char *fmt, ...) PRINTF_LIKE(1, 2);
static void put(const char *fmt, ...)
{
	char *text;
	va_list ap;
	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		abort();
	va_end(ap);
	buf_append(&sql, text, strlen(text));
	free(text);
}

static void run(void)
{
	if (sql.len == 0)
		return;
	if (mysql_real_query(db_handle, sql.data, sql.len) != 0)
		db_die(mysql_error(db_handle));
	buf_clear(&sql);
}

static void flush_if_large(const char *begin)
{
	if (sql.len > 500000)
		run();
	if (sql.len == 0)
		put("%s", begin);
	else
		put(",");
}

#define INSERT_MESSAGES                                                                                                \
	"INSERT INTO messages (id,from_user_id,to_user_id,message_type,content,media_url,client_msg_id,is_recalled,"   \
	"deleted_by_sender,deleted_by_recipient,created_at,expires_at) VALUES "

static void put_time(int64_t ms)
{
	char text[CLOCK_SQL_LEN + 1];
	clock_format_sql(text, ms);
	put("'%s'", text);
}

/* The filters of a conversation as the relay has made them, of what the texts were then. */
static void put_filters(uint64_t c, char (*indexed)[80], const struct sent *first, uint64_t last_seq, uint64_t covered)
{
	struct gathered *g = search_filters.gather_new();
	struct buf filter = {0};
	for (uint64_t block = 0; block <= covered >> SEARCH_BLOCK_BITS; block++) {
		const struct sent *begin = NULL, *end = NULL;
		for (uint64_t seq = block << SEARCH_BLOCK_BITS; seq <= covered && seq >> SEARCH_BLOCK_BITS == block;
		     seq++) {
			if (seq == 0 || seq > last_seq)
				continue;
			end = &first[seq - 1];
			begin = begin != NULL ? begin : end;
			struct message m = {.type = end->type, .content = str_from(indexed[seq - 1])};
			message_words_read(&words, &m, false);
			search_filters.gather(g, &words);
		}
		buf_clear(&filter);
		search_filters.gather_put(g, &filter);
		if (begin == NULL)
			continue;
		run();
		put("INSERT INTO search_blocks (conversation_id,block,first_at,last_at,filter) VALUES (%llu,%llu,",
		    (unsigned long long)c, (unsigned long long)block);
		put_time(begin->ms);
		put(",");
		put_time(end->ms);
		put(",X'");
		for (size_t i = 0; i < filter.len; i++)
			put("%02x", (unsigned char)filter.data[i]);
		put("')");
		run();
	}
	db_sql("INSERT INTO search_heads VALUES (%llu,%u,%llu)", (unsigned long long)c, pick(12) != 0 ? 1 : 2,
	       (unsigned long long)covered);
	buf_fini(&filter);
	search_filters.gather_free(&g);
}

/* Messages of one conversation; of which alice sees those from first_seq on, where it is hers. */
static void make_messages(uint64_t c, uint64_t last_seq, bool mine, uint64_t first_seq)
{
	static char indexed[LONG + 1][80];
	bool group = conversation_is_group(c);
	struct sent *first = &sent[count];
	int64_t ms = BEGIN_MS + pick(100000);
	uint64_t covered = pick(5) == 0 || last_seq < 16 ? 0 : (1 + pick((unsigned)(last_seq + 1) / 16)) * 16 - 1;
	for (uint64_t seq = 1; seq <= last_seq; seq++) {
		struct sent *m = &sent[count++];
		bool recalled = pick(20) == 0, deleted = pick(20) == 0, expired = pick(30) == 0, by_me = pick(2) == 0;
		ms += pick(3) == 0 ? 0 : (int64_t)pick(600);
		*m = (struct sent){
			.id = message_id_make(c, seq), .ms = ms, .type = pick(8) == 0 ? MESSAGE_IMAGE : MESSAGE_TEXT};
		snprintf(m->from, sizeof(m->from), "%s", by_me ? "alice" : "bob");
		random_text(m->text);
		memcpy(indexed[seq - 1], m->text, sizeof(m->text));
		if (seq <= covered && pick(100) == 0) {
			random_text(indexed[seq - 1]);
			db_sql("INSERT INTO search_edits VALUES (%llu,%llu,1)", (unsigned long long)c,
			       (unsigned long long)seq);
		}
		m->hidden = !mine || recalled || deleted || expired || seq < first_seq;
		flush_if_large(INSERT_MESSAGES);
		put("(%llu,'%s','%s',%d,'%s',%s,'%llu',%d,%d,%d,", (unsigned long long)m->id, m->from,
		    group   ? ""
		    : by_me ? "bob"
			    : "alice",
		    m->type, m->text, m->type == MESSAGE_IMAGE ? "'https://x.example/'" : "NULL",
		    (unsigned long long)m->id, recalled, !group && deleted && by_me, !group && deleted && !by_me);
		put_time(ms);
		put(expired	   ? ",UTC_TIMESTAMP(3)-INTERVAL 1 SECOND)"
		    : pick(9) == 0 ? ",UTC_TIMESTAMP(3)+INTERVAL 1 DAY)"
				   : ",NULL)");
		if (group && deleted && mine)
			db_sql("INSERT INTO deletions VALUES ('alice',%llu,%llu,%llu)", (unsigned long long)c,
			       (unsigned long long)seq, (unsigned long long)seq);
	}
	run();
	if (covered != 0)
		put_filters(c, indexed, first, last_seq, covered);
	char at[CLOCK_SQL_LEN + 1];
	clock_format_sql(at, ms);
	db_sql("UPDATE %s SET last_seq=%llu,last_message_time='%s' WHERE id=%llu",
	       group ? "group_heads" : "conversations", (unsigned long long)last_seq, at, (unsigned long long)c);
}

static void make_conversation(unsigned i)
{
	bool mine = i >= FOREIGN, group = i >= FOREIGN + PAIRS;
	uint64_t c = group ? GROUP_ID_MIN + i : 1 + i;
	uint64_t last_seq = i >= FOREIGN && i < FOREIGN + LONG_ONES ? LONG : pick(6) == 0 ? pick(4) : pick(700);
	uint64_t first_seq = group && pick(2) == 0 ? 1 + pick((unsigned)last_seq + 1) : 1;
	conversation[i] = c;
	if (group) {
		db_sql("INSERT INTO group_heads (id,last_seq,sort_time,active_at,created_at) VALUES "
		       "(%llu,0,UTC_TIMESTAMP(3),UTC_TIMESTAMP(3),UTC_TIMESTAMP(3))",
		       (unsigned long long)c);
		db_sql("INSERT INTO members (user_id,conversation_id,role,joined_seq,first_seq,read_seq,joined_at) "
		       "VALUES "
		       "('alice',%llu,3,1,%llu,0,UTC_TIMESTAMP(3))",
		       (unsigned long long)c, (unsigned long long)first_seq);
	} else {
		db_sql("INSERT INTO conversations (id,user1_id,user2_id,created_at,sort_time) VALUES "
		       "(%llu,'%s%u','%s%u',UTC_TIMESTAMP(3),UTC_TIMESTAMP(3))",
		       (unsigned long long)c,
		       !mine	 ? "x"
		       : pick(2) ? "a"
				 : "b",
		       i, "y", i);
		if (mine)
			db_sql("UPDATE conversations SET %s='alice' WHERE id=%llu", pick(2) ? "user1_id" : "user2_id",
			       (unsigned long long)c);
	}
	make_messages(c, last_seq, mine, first_seq);
}

static int newest_first(const void *a, const void *b)
{
	const struct sent *x = a, *y = b;
	if (x->ms != y->ms)
		return x->ms > y->ms ? -1 : 1;
	return x->id > y->id ? -1 : x->id < y->id;
}

/* ---- searching ---- */

struct found {
	bool done;
	enum store_status status;
	uint64_t id[101];
	size_t count, ranges;
	bool has_more, building;
	struct store_cursor next;
};

static void on_found(const struct store_found *r, void *arg)
{
	struct found *f = arg;
	f->status = r->status;
	f->building = r->building;
	f->count = r->count;
	f->has_more = r->has_more;
	f->next = r->next;
	for (size_t i = 0; i < r->count; i++) {
		f->id[i] = r->item[i].message->id;
		f->ranges += r->item[i].range_count;
	}
	answered(&f->done);
}

static _Atomic int64_t shift_ms;
static int64_t takes_ms; /* the first step of each */

static struct found *search(const struct store_search *p)
{
	static struct found f;
	f = (struct found){0};
	store_search(s, p, on_found, &f);
	shift_ms += takes_ms;
	wait_for(&f.done);
	return &f;
}

static bool is_wanted(const struct sent *m, const struct store_search *p)
{
	static const struct words none;
	if (m->hidden || (p->conversation_id != 0 && message_id_conversation(m->id) != p->conversation_id) ||
	    (p->from.s != NULL && !str_is(p->from, m->from)) || (p->has_type && m->type != p->type) ||
	    (p->has_after && m->ms <= p->after_ms) || (p->has_before && m->ms >= p->before_ms))
		return false;
	words_read(&words.content, str_from(m->text), false);
	return needle_is_in(&needle, &words.content, &none);
}

static unsigned short_pages, pages, found_in_all;

/* The pages against all that there is, as far as PAGES_MAX. Returns where they differ, or SIZE_MAX. */
#define PAGES_MAX 25
static size_t differs_at(struct store_search *p)
{
	size_t at = 0, n = 0;
	needle_read(&needle, p->q);
	for (unsigned page = 0; page < PAGES_MAX; page++) {
		const struct found *f = search(p);
		if (f->status != STORE_OK || f->count > p->limit)
			return n;
		pages++;
		short_pages += f->has_more && f->count < p->limit;
		for (size_t i = 0; i < f->count; i++, n++) {
			while (at < count && !is_wanted(&sent[at], p))
				at++;
			if (at == count || sent[at].id != f->id[i])
				return n;
			at++;
		}
		if (!f->has_more) {
			while (at < count && !is_wanted(&sent[at], p))
				at++;
			found_in_all += (unsigned)n;
			return at == count ? SIZE_MAX : n;
		}
		if (page != 0 && (f->next.ms > p->after.ms || (f->next.ms == p->after.ms && f->next.id >= p->after.id)))
			return n;
		p->after = f->next;
	}
	found_in_all += (unsigned)n;
	return SIZE_MAX;
}

static const char *const queries[] = {"common",
				      "commons",
				      "com",
				      "red",
				      "gr",
				      "grun",
				      "rare",
				      "x",
				      "x2",
				      "x333 red",
				      "\xE4\xBD\xA0\xE5\xA5\xBD",
				      "\xE5\xA5\xBD\xE4\xB8\x96",
				      "\xE4\xB8\x96\xE7\x95\x8C rare",
				      "\"red green\"",
				      "\"common rare\"",
				      "\"blue red\" x1",
				      "nothing",
				      "rare nothing",
				      "\xE7\x95\x8C",
				      "redd"};

static void test_random(void)
{
	unsigned wrong = 0;
	for (int i = 0; i < 80 && wrong < 5; i++) {
		struct store_search p = {.user = STR_LIT("alice"), .q = str_from(queries[pick(ARRAY_LEN(queries))])};
		p.limit = pick(3) == 0 ? 1 + pick(10) : 20 + pick(81);
		if (pick(3) == 0)
			p.conversation_id = conversation[FOREIGN + pick(PAIRS + GROUPS)];
		if (pick(6) == 0)
			p.from = pick(2) ? STR_LIT("alice") : STR_LIT("bob");
		if (pick(6) == 0) {
			p.has_type = true;
			p.type = pick(2) ? MESSAGE_TEXT : MESSAGE_IMAGE;
		}
		if (pick(4) == 0) {
			p.has_after = true;
			p.after_ms = sent[pick((unsigned)count)].ms;
		}
		if (pick(4) == 0) {
			p.has_before = true;
			p.before_ms = sent[pick((unsigned)count)].ms;
		}
		size_t at = differs_at(&p);
		if (at == SIZE_MAX)
			continue;
		wrong++;
		ok(false, "%.*s in %llu, from %s, by %u, after %lld, before %lld: differs at %zu", (int)p.q.len, p.q.s,
		   (unsigned long long)p.conversation_id, p.from.s != NULL ? p.from.s : "anybody", p.limit,
		   (long long)p.after_ms, (long long)p.before_ms, at);
	}
	ok(wrong == 0, "random searches find what is there, in its order");
	ok(found_in_all > 5000, "that is much: %u in %u pages", found_in_all, pages);
	ok(short_pages > 10, "and some pages were short: %u", short_pages);
}

/* A page is as short as it has to be, but nothing is passed over. */
static void test_slow(void)
{
	unsigned wrong = 0, all = found_in_all;
	/* Before edited ones are looked at no search ends. */
	db_sql("DELETE FROM search_heads WHERE conversation_id IN (SELECT conversation_id FROM search_edits)");
	db_sql("DELETE FROM search_edits");
	takes_ms = 1600;
	for (size_t i = 0; i < ARRAY_LEN(queries); i++) {
		struct store_search p = {.user = STR_LIT("alice"), .q = str_from(queries[i]), .limit = 20};
		wrong += differs_at(&p) != SIZE_MAX;
	}
	takes_ms = 0;
	is_int(wrong, 0, "searches that take too long in their first step find what is there");
	ok(found_in_all - all > 200, "which is much: %u", found_in_all - all);
}

static void test_others(void)
{
	struct store_search p = {.user = STR_LIT("alice"), .q = STR_LIT("common"), .limit = 20};
	p.conversation_id = conversation[0];
	is_int(search(&p)->status, STORE_NOT_FOUND, "a foreign conversation is not found");
	p.q = STR_LIT("!");
	is_int(search(&p)->status, STORE_NOT_FOUND, "whatever is searched for");
	p.conversation_id = 0;
	const struct found *f = search(&p);
	ok(f->status == STORE_OK && f->count == 0 && !f->has_more, "no words find nothing");
	p.q = STR_LIT("common");
	p.user = STR_LIT("nobody");
	f = search(&p);
	ok(f->status == STORE_OK && f->count == 0 && !f->has_more, "a user without conversations finds nothing");
	p.user = STR_LIT("alice");
	ok(search(&p)->ranges >= 20, "with places");
	db_sql("UPDATE search_state SET state=0");
	f = search(&p);
	ok(f->status == STORE_UNAVAILABLE && f->building, "while it is built there is none");
	db_sql("UPDATE search_state SET state=1,format=77");
	ok(search(&p)->building, "nor of another release's rules");
	db_sql("UPDATE search_state SET format=%d", SIGNATURE_FORMAT);
	is_int(search(&p)->count, 20, "and then there is");
	/* Of one user few may wait; the others are told so at once. */
	struct found many[20] = {0};
	unsigned refused = 0;
	for (size_t i = 0; i < ARRAY_LEN(many); i++)
		store_search(s, &p, on_found, &many[i]);
	for (size_t i = 0; i < ARRAY_LEN(many); i++) {
		wait_for(&many[i].done);
		refused += many[i].status == STORE_OVERLOADED;
	}
	ok(refused > 5 && refused < 20, "of twenty at once some are refused: %u", refused);
}

int main(void)
{
	one_store_begin(NULL);
	for (unsigned i = 0; i < CONVERSATIONS; i++)
		make_conversation(i);
	qsort(sent, count, sizeof(*sent), newest_first);
	ok(count > 30000, "there are %zu messages", count);
	clock_share_shift(&shift_ms);
	test_random();
	test_slow();
	test_others();
	buf_fini(&sql);
	message_words_fini(&words);
	needle_fini(&needle);
	return one_store_end();
}
