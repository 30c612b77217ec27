// SPDX-License-Identifier: BSD-2-Clause
// Proves groups against a real server: who comes and goes, what is told to whom, mentions, receipts, counts, and that an
// absence or a kill loses nothing of it.
import assert from 'node:assert/strict';
import {afterEach, test} from 'node:test';
import {Wire, ask, closeAll, contents, friends, history, inOrder, needsServer, open, until} from './kit.js';

afterEach(closeAll);

const of = (client, id) => client.seen.message.filter((m) => m.conversation_id === id);
const events = (client, id) => of(client, id).map((m) => m.message_type === 'system' ? m.extra.event : m.content);
const shown = (client, id) => client.seen.conversation.filter((c) => c.id === id);

// What a page would count: the rule of README.md.
function counted(client, id) {
    const conversation = shown(client, id).at(-1);
    const me = client.userId;
    const isUnread = (m, readSeq) => m.seq > readSeq && m.from_user_id !== me && m.message_type !== 'system';
    let {unread_count, mention_count, read_seq} = conversation;
    const later = of(client, id).filter((m) => m.seq > (conversation.last_message?.seq ?? 0));
    const own = later.findLast((m) => m.from_user_id === me && m.message_type !== 'system');
    if (own)
        [unread_count, mention_count, read_seq] = [0, 0, own.seq];
    const unread = later.filter((m) => isUnread(m, read_seq));
    unread_count += unread.length;
    mention_count += unread.filter((m) => m.mentions.some((u) => u === me || u === '*')).length;
    return {unread_count, mention_count};
}

// A group of these users' clients; the first one's is its owner.
async function groupOf(clients, more = {}) {
    const [owner, ...others] = clients;
    const group = await owner.rest.createGroup({name: 'Walkers', user_ids: others.map((c) => c.userId), ...more});
    assert.deepEqual(group.left_out, []);
    for (const client of clients)
        await until('the group', () => shown(client, group.id).length > 0 && events(client, group.id).includes('created'));
    return group;
}

test('three talk in a group, and all hear all of it in order', needsServer, async () => {
    const [a, b, c] = await Promise.all((await friends('alice', 'bob', 'carol')).map((user) => open(user)));
    const {id, group, kind, peer} = await groupOf([a, b, c]);
    assert.deepEqual([kind, peer, group.role, group.member_count, group.owner_id], ['group', null, 'owner', 3, a.userId]);
    assert.equal(shown(b, id)[0].group.role, 'member');
    await Promise.all([a, b, c].flatMap((client) => [1, 2, 3].map((n) => client.send({conversation_id: id, content: `${client.userId} ${n}`}).done)));
    const truth = await history(a, id);
    assert.equal(truth.length, 10);
    for (const client of [a, b, c]) {
        await until('all ten', () => of(client, id).length === 10);
        inOrder(client);
        assert.deepEqual(of(client, id), truth);
        assert.deepEqual(await history(client, id), truth);
        assert.deepEqual(events(client, id).filter((e) => e.startsWith(a.userId)), [1, 2, 3].map((n) => `${a.userId} ${n}`));
    }
    assert.deepEqual([truth[0].extra.event, truth[1].to_user_id, truth[1].is_read, truth[1].read_at], ['created', null, null, null]);
    await b.leave(id);
    assert.deepEqual(await until('left', () => b.seen.left[0]), {conversation_id: id, reason: 'left'});
    await until('the others to hear of it', () => [a, c].every((client) => events(client, id).at(-1) === 'left'));
    await assert.rejects(b.send({conversation_id: id, content: 'too late'}).done, {code: 'not_found'});
    await assert.rejects(b.rest.group(id), {code: 'not_found'});
});

test('mentions, what is unread, and who has read it', needsServer, async () => {
    const [a, b, c] = await Promise.all((await friends('alice', 'bob', 'carol')).map((user) => open(user)));
    const {id} = await groupOf([a, b, c]);
    const say = (client, content, mentions) => client.send({conversation_id: id, content, mentions}).done;
    const first = await say(a, 'to bob', [b.userId, 'nobody-here']);
    assert.deepEqual(first.mentions, [b.userId]);
    await say(a, 'to all', ['*']);
    await say(a, 'to nobody');
    const counts = async (client) => {
        const {items} = await client.rest.conversations();
        const {unread_count, mention_count} = items.find((item) => item.id === id);
        assert.deepEqual(await client.rest.unread(), {unread_count, mention_count});
        await until('the same by the events', () => {
            const mine = counted(client, id);
            return mine.unread_count === unread_count && mine.mention_count === mention_count;
        });
        return [unread_count, mention_count];
    };
    await until('all to have it', () => [b, c].every((client) => contents(client).at(-1) === 'to nobody'));
    assert.deepEqual([await counts(a), await counts(b), await counts(c)], [[0, 0], [3, 2], [3, 1]]);
    assert.deepEqual((await b.rest.mentions()).items.map((m) => m.content), ['to all', 'to bob']);
    assert.deepEqual((await c.rest.mentions({limit: 1})).items.map((m) => m.content), ['to all']);

    const answer = await say(b, 'an answer');
    await until('all to have that', () => [a, c].every((client) => contents(client).at(-1) === 'an answer'));
    assert.deepEqual([await counts(b), await counts(a), await counts(c)], [[0, 0], [1, 0], [4, 1]], 'sending reads');
    c.markRead(id);
    const read = await until('the read', () => a.seen.read.find((r) => r.reader_id === c.userId));
    assert.deepEqual([read.conversation_id, read.up_to_seq, read.message_ids], [id, answer.seq, null]);
    const receipts = await a.rest.receipts(first.id);
    assert.deepEqual([receipts.read_count, receipts.items.map((r) => r.user_id).sort()], [2, [b.userId, c.userId].sort()]);
    assert.deepEqual((await a.rest.receipts(answer.id)).items.map((r) => r.user_id), [c.userId]);
    await assert.rejects(c.rest.readMessage(first.id), {code: 'forbidden', status: 403});
    a.typing(id);
    assert.deepEqual(await until('typing', () => c.seen.typing[0]), {conversation_id: id, user_id: a.userId});
});

test('who is added, removed and comes back is told just that', needsServer, async () => {
    const [a, b, c] = await Promise.all((await friends('alice', 'bob', 'carol')).map((user) => open(user)));
    const {id} = await groupOf([a, b]);
    const say = (content) => a.send({conversation_id: id, content}).done;
    await say('before');
    assert.deepEqual(await a.rest.addMembers(id, [c.userId, b.userId]), {added: [c.userId], left_out: [{user_id: b.userId, code: 'already_member'}]});
    await say('with carol');
    await until('carol to hear it', () => contents(c).includes('with carol'));
    assert.deepEqual(events(c, id), ['added', 'with carol']);
    assert.deepEqual((await history(c, id)).map((m) => m.content ?? m.extra.event), ['created', 'before', 'added', 'with carol']);

    await a.rest.removeMember(id, c.userId);
    assert.ok(['removed', null].includes((await until('left', () => c.seen.left[0])).reason));
    await say('without carol');
    await a.rest.addMembers(id, [c.userId]);
    await say('with carol again');
    await until('both to hear that', () => [b, c].every((client) => contents(client).includes('with carol again')));
    inOrder(c);
    assert.deepEqual(events(c, id).filter((e) => e !== 'removed'), ['added', 'with carol', 'added', 'with carol again']);
    assert.deepEqual(events(b, id), ['created', 'before', 'added', 'with carol', 'removed', 'without carol', 'added', 'with carol again']);

    await a.rest.removeMember(id, c.userId, {ban: true});
    // Where the server has sent `resync` meanwhile, the answer to that may be there first.
    assert.ok(['banned', null].includes((await until('the ban', () => c.seen.left[1])).reason));
    assert.deepEqual((await a.rest.bans(id)).items.map((ban) => [ban.user.user_id, ban.banned_by]), [[c.userId, a.userId]]);
    assert.deepEqual((await a.rest.addMembers(id, [c.userId])).left_out, [{user_id: c.userId, code: 'banned'}]);
    assert.equal(await a.rest.liftBan(id, c.userId), undefined);
    await a.rest.dissolveGroup(id);
    assert.equal((await until('the end', () => b.seen.left[0])).reason, 'dissolved');
    await assert.rejects(b.send({conversation_id: id, content: 'x'}).done, {code: 'group_dissolved'});
    assert.equal((await history(b, id)).at(-1).extra.event, 'dissolved');
});

test('what happened to a group during an absence is caught up with', needsServer, async () => {
    const [a, b, c] = await Promise.all((await friends('alice', 'bob', 'carol')).map((user) => open(user)));
    const old = await groupOf([a, b, c], {name: 'old'});
    const kept = await groupOf([a, b, c], {name: 'kept'});
    const {id: first} = await a.send({conversation_id: kept.id, content: 'one'}).done;
    await until('the first', () => contents(b).includes('one'));
    await ask('kick', b.userId);
    await until('the end', () => b.state === 'replaced');
    await a.rest.removeMember(old.id, b.userId);
    await a.send({conversation_id: old.id, content: 'not for bob'}).done;
    await a.recall(first);
    for (let n = 0; n < 120; n += 20)
        await Promise.all(Array.from({length: 20}, (_, i) => c.send({conversation_id: kept.id, content: `${n + i}`}).done));
    const late = await groupOf([c], {name: 'late'});
    await c.send({conversation_id: late.id, content: 'history'}).done;
    await c.rest.addMembers(late.id, [b.userId]);
    await c.send({conversation_id: late.id, content: 'new'}).done;
    b.connect();
    await b.ready();
    await until('all of it', () => contents(b).includes('119') && contents(b).includes('new'));
    inOrder(b);
    assert.deepEqual(b.seen.left, [{conversation_id: old.id, reason: null}]);
    assert.ok(!contents(b).includes('not for bob'));
    assert.deepEqual(events(b, late.id), ['added', 'new']);
    assert.deepEqual(of(b, kept.id).map((m) => m.seq), (await history(b, kept.id)).map((m) => m.seq));
    assert.deepEqual(b.seen.recalled.map((r) => r.message_id), [first]);
    assert.equal(shown(b, kept.id).at(-1).unread_count, 120);
});

test('roles, settings, invites and requests', needsServer, async () => {
    const [a, b, c] = await Promise.all((await friends('alice', 'bob', 'carol')).map((user) => open(user)));
    const [stranger] = await friends('stranger');
    const d = await open(stranger);
    const created = {name: 'Walkers', client_group_id: 'once', about: 'on Sundays'};
    const {id} = await a.rest.createGroup({...created, user_ids: [b.userId, stranger]}).then((group) => {
        assert.deepEqual(group.left_out, [{user_id: stranger, code: 'not_friends'}]);
        return group;
    });
    assert.equal((await a.rest.createGroup({...created, name: 'again'})).id, id);
    assert.equal((await a.rest.updateMember(id, b.userId, {role: 'admin'})).role, 'admin');
    await until('the role', () => shown(b, id).at(-1)?.group.role === 'admin');
    const changed = await b.rest.updateGroup(id, {name: 'Hikers', about: null, settings: {join: 'approval', send: 'admins'}});
    assert.deepEqual([changed.group.name, changed.group.about, changed.group.settings.join, changed.group.settings.add], ['Hikers', null, 'approval', 'all']);
    await until('the name', () => shown(a, id).at(-1)?.group.name === 'Hikers');

    const invite = await b.rest.createInvite(id, {expires_in: 3600, max_uses: 2});
    assert.deepEqual((await a.rest.invites(id)).items.map((i) => [i.code, i.created_by, i.max_uses]), [[invite.code, b.userId, 2]]);
    assert.deepEqual(await d.rest.invite(invite.code), {name: 'Hikers', avatar_url: null, about: null, member_count: 2});
    assert.deepEqual([await d.rest.acceptInvite(invite.code), await c.rest.joinGroup(id)], [{state: 'requested'}, {state: 'requested'}]);
    assert.deepEqual((await a.rest.joinRequests(id)).items.map((r) => r.user.user_id).sort(), [c.userId, stranger].sort());
    assert.equal(await a.rest.declineMember(id, c.userId), undefined);
    assert.equal((await b.rest.acceptMember(id, stranger)).user.user_id, stranger);
    await until('the group', () => shown(d, id).length > 0);
    assert.equal(await a.rest.revokeInvite(id, invite.code), undefined);
    await assert.rejects(c.rest.invite(invite.code), {code: 'not_found'});

    const refused = d.send({conversation_id: id, content: 'x'});
    await assert.rejects(refused.done, {code: 'sending_restricted'});
    assert.equal(d.seen.refused[0].draft.conversation_id, id);
    await a.rest.updateGroup(id, {settings: {send: 'all'}});
    await a.rest.updateMember(id, stranger, {muted_until: '2126-11-24T03:01:21Z'});
    await assert.rejects(d.send({conversation_id: id, content: 'x'}).done, {code: 'muted'});
    assert.equal((await a.rest.updateMember(id, stranger, {muted_until: null})).muted_until, null);
    const sent = await d.send({conversation_id: id, content: 'y'}).done;
    assert.equal((await b.recall(sent.id)).is_recalled, true);
    assert.equal((await until('the recall', () => d.seen.recalled[0])).by, b.userId);
    assert.deepEqual((await a.rest.members(id)).items.map((m) => [m.user.user_id, m.role]), [[a.userId, 'owner'], [b.userId, 'admin'], [stranger, 'member']]);
    assert.deepEqual((await a.rest.members(id, {query: 'bob'})).items.map((m) => m.user.user_id), [b.userId]);
    await assert.rejects(a.leave(id), {code: 'conflict', status: 409});
    const passed = await a.rest.passOnGroup(id, b.userId);
    assert.deepEqual([passed.group.role, passed.group.owner_id], ['admin', b.userId]);
    await assert.rejects(a.rest.dissolveGroup(id), {code: 'forbidden', status: 403});
    const paged = [];
    for await (const {user} of a.rest.each((page) => a.rest.members(id, page), {limit: 1}))
        paged.push(user.user_id);
    assert.deepEqual(paged, [b.userId, a.userId, stranger]);
});

test('a group whose server drains, and whose connections are cut', needsServer, async () => {
    const wire = await Wire.open();
    const [alice, bob] = await friends('alice', 'bob');
    const [a, b] = await Promise.all([open(alice), open(bob, {url: wire.url})]);
    const {id} = await groupOf([a, b]);
    const said = ['created'];
    const say = (client, content) => {
        said.push(content);
        return client.send({conversation_id: id, content}).done;
    };
    // Within the header of a frame, and within its text.
    for (const bytes of [1, 400]) {
        wire.cutAfter(bytes);
        await say(a, `${bytes} ${'x'.repeat(600)}`);
        await until('the cut', () => wire.isCut);
        await until('bob to hear it', () => of(b, id).length === said.length);
    }
    await ask('drain');
    await until('both to be sent away', () => [a, b].every((client) => client.seen.state.some((s) => s.reason === 'draining')));
    await ask('drained');
    const unsent = [say(b, 'while it is away'), say(b, 'and more')];
    await ask('start');
    await Promise.all(unsent);
    await say(a, 'after it');
    for (const client of [a, b]) {
        await until('all of it', () => of(client, id).length === said.length);
        inOrder(client);
        assert.deepEqual(events(client, id), said);
        assert.deepEqual(of(client, id).map((m) => m.seq), (await history(client, id)).map((m) => m.seq));
    }
    wire.close();
});

test('a group while workers are killed and people come and go', needsServer, async () => {
    const clients = await Promise.all((await friends('alice', 'bob', 'carol')).map((user) => open(user, {backoff: {baseMs: 20, maxMs: 200}})));
    const [a, b, c] = clients;
    const {id} = await groupOf([a, b]);
    let acked = 0;
    for (const client of [a, b])
        client.on('ack', () => acked++);
    const MESSAGES = 200;
    const sending = (async () => {
        for (let n = 0; n < MESSAGES; n++) {
            await until('room', () => a.unsent.length + b.unsent.length < 20);
            [a, b][n % 2].send({conversation_id: id, content: `${n}`});
        }
    })();
    const patiently = (call) => until('an answer', () => call().then(() => true, (problem) => problem.transient ? false : Promise.reject(problem)));
    for (let n = 0; n < 4; n++) {
        await until('more', () => acked >= (n + 1) * MESSAGES / 6);
        await patiently(() => a.rest.addMembers(id, [c.userId]));
        await until('all workers to be there', () => ask('kill_worker'));
        if (n < 3)
            await patiently(() => a.rest.removeMember(id, c.userId));
    }
    await sending;
    await until('all to be acknowledged', () => acked === MESSAGES);
    await until('all to be there', () => clients.every((client) => client.synced));
    await a.send({conversation_id: id, content: 'the end'}).done;
    const truth = (await history(a, id)).map((m) => m.seq);
    const joined = (await history(a, id)).findLast((m) => m.extra?.event === 'added').seq;
    for (const client of clients) {
        await until('the end', () => contents(client).includes('the end'));
        inOrder(client);
    }
    assert.deepEqual(of(a, id).map((m) => m.seq), truth);
    assert.deepEqual(of(b, id).map((m) => m.seq), truth);
    assert.deepEqual(of(c, id).map((m) => m.seq).filter((seq) => seq >= joined), truth.filter((seq) => seq >= joined));
    assert.equal((await a.rest.group(id)).group.member_count, 3);
});
