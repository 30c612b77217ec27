// SPDX-License-Identifier: BSD-2-Clause
// Proves that all of it works while nothing goes wrong: messages, what is done to them, presence, every REST call.
import assert from 'node:assert/strict';
import {afterEach, test} from 'node:test';
import {ask, closeAll, friends, history, needsServer, open, told, until, url, WebSocket} from './kit.js';
import {TidingsClient} from '../src/index.js';

afterEach(closeAll);

test('two talk, and all sessions hear all of it in order', needsServer, async () => {
    const [alice, bob] = await friends('alice', 'bob');
    const [a, a2, b] = await Promise.all([open(alice, {device: 'web'}), open(alice, {device: 'ios'}), open(bob)]);
    const sendings = [1, 2, 3].map((n) => a.send({to: bob, content: `a${n}`}));
    const [first] = await Promise.all(sendings.map((s) => s.done));
    assert.equal(first.client_msg_id, sendings[0].client_msg_id);
    const answer = await b.send({conversation_id: first.conversation_id, type: 'image', media_url: 'https://example.org/1.png', extra: {width: 1}}).done;
    assert.deepEqual([answer.message_type, answer.extra], ['image', {width: 1}]);
    for (const client of [a, a2, b])
        assert.deepEqual(await told(client, 4), ['a1', 'a2', 'a3', null]);
    assert.deepEqual(a.seen.message, await history(a, first.conversation_id));
    assert.deepEqual(a.seen.ack.map((k) => k.message.content), ['a1', 'a2', 'a3']);
    assert.deepEqual([a.unsent, a.userId, a2.seen.ack], [[], alice, []]);
    await assert.rejects(a.send({conversation_id: '999999', content: 'x'}).done, {code: 'not_found'});
});

test('every change to a message is told once to everyone, its author too', needsServer, async () => {
    const [alice, bob] = await friends('alice', 'bob');
    const [a, b] = await Promise.all([open(alice), open(bob)]);
    const sent = await Promise.all([1, 2, 3].map((n) => a.send({to: bob, content: `${n}`}).done));
    const id = sent[0].conversation_id;
    await told(b, 3);
    b.typing(id);
    assert.deepEqual(await until('typing', () => a.seen.typing[0]), {conversation_id: id, user_id: bob});
    b.markRead(id, 2);
    const read = await until('read', () => a.seen.read[0]);
    assert.deepEqual([read.reader_id, read.up_to_seq], [bob, 2]);
    await b.rest.readMessage(sent[2].id);
    await until('the read of one', () => a.seen.read.some((r) => r.message_ids?.includes(sent[2].id)));
    assert.equal((await a.recall(sent[0].id)).is_recalled, true);
    for (const client of [a, b])
        assert.equal((await until('recalled', () => client.seen.recalled[0])).message_id, sent[0].id);
    await b.delete(sent[1].id);
    assert.equal((await until('deleted', () => b.seen.deleted[0])).message_id, sent[1].id);
    await assert.rejects(b.recall(sent[2].id), {code: 'not_sender', status: 403});
    assert.deepEqual(a.seen.deleted, []);
});

test('presence is followed, also over a reconnection', needsServer, async () => {
    const [alice, bob] = await friends('alice', 'bob');
    const a = await open(alice);
    a.watch([bob]);
    assert.equal((await until('presence', () => a.seen.presence[0])).online, false);
    await open(bob);
    await until('bob to be online', () => a.seen.presence.some((p) => p.user_id === bob && p.online));
    await ask('kick', alice);
    await until('the end', () => a.state === 'replaced');
    a.seen.presence.length = 0;
    a.connect();
    assert.deepEqual((await until('presence', () => a.seen.presence[0])).user_id, bob);
});

test('what was read is told together, and what is read offline later', needsServer, async () => {
    const [alice, bob] = await friends('alice', 'bob');
    const [a, b] = await Promise.all([open(alice), open(bob)]);
    const sent = await Promise.all([1, 2, 3, 4].map((n) => a.send({to: bob, content: `${n}`}).done));
    const id = sent[0].conversation_id;
    [1, 3, 2].forEach((seq) => b.markRead(id, seq));
    await until('all three', () => a.seen.read.at(-1)?.up_to_seq === 3);
    assert.deepEqual(a.seen.read.map((r) => r.up_to_seq), [1, 3]);
    await ask('kick', bob);
    await until('the end', () => b.state === 'replaced');
    b.markRead(id);
    b.connect();
    await until('the rest', () => a.seen.read.at(-1)?.up_to_seq === 4);
});

test('a refusal comes back with its code, and the next one goes', needsServer, async () => {
    const [alice, bob] = await friends('alice', 'bob');
    const [stranger] = await friends('stranger');
    const a = await open(alice);
    const refused = a.send({to: stranger, content: 'hi'});
    await assert.rejects(refused.done, {code: 'not_friends'});
    assert.equal(a.seen.refused[0].client_msg_id, refused.client_msg_id);
    await assert.rejects(a.send({to: bob, content: ''}).done, {code: 'invalid_argument'});
    const huge = a.send({to: bob, content: 'x'.repeat(70000)});
    const next = a.send({to: bob, content: 'small'});
    await assert.rejects(huge.done, {code: 'payload_too_large', status: 413});
    assert.equal((await next.done).seq, 1);
    const id = a.seen.ack[0].client_msg_id;
    await assert.rejects(a.send({to: bob, content: 'other', client_msg_id: id}).done, {code: 'client_msg_id_reused'});
    assert.equal((await a.send({to: bob, content: 'small', client_msg_id: id}).done).seq, 1);
    assert.equal(a.seen.ack[1].replayed, true);
    assert.deepEqual(await told(a, 1), ['small']);
});

test('history is not told as new, what is in it when one connects', needsServer, async () => {
    const [alice, bob] = await friends('alice', 'bob');
    const a = await open(alice);
    const {conversation_id} = await a.send({to: bob, content: 'before'}).done;
    const b = await open(bob);
    assert.deepEqual(b.seen.conversation.map((c) => [c.id, c.unread_count]), [[conversation_id, 1]]);
    await a.send({to: bob, content: 'after'}).done;
    assert.deepEqual(await told(b, 1), ['after']);
});

test('every REST call about messages', needsServer, async () => {
    const [alice, bob, carol] = await friends('alice', 'bob', 'carol');
    const {rest} = await open(alice, {connect: false});
    const other = (await open(bob, {connect: false})).rest;
    const conversation = await rest.createConversation(bob, {kind: 'moment', id: 'm1'});
    assert.deepEqual(conversation.source, {kind: 'moment', id: 'm1'});
    const sent = await rest.send({to_user_id: bob, message_type: 'text', content: 'one'});
    await rest.createConversation(carol);
    assert.deepEqual((await rest.conversations({limit: 1})).items.length, 1);
    const all = [];
    for await (const c of rest.each((page) => rest.conversations(page), {limit: 1}))
        all.push(c.peer.user_id);
    assert.deepEqual(all.sort(), [bob, carol].sort());
    assert.equal(await other.unreadCount(), 1);
    assert.equal((await other.readMessage(sent.id)).is_read, true);
    assert.equal((await other.readConversation(conversation.id, 1)).unread_count, 0);
    assert.equal((await rest.recallMessage(sent.id)).is_recalled, true);
    assert.equal(await other.deleteMessage(sent.id), undefined);
    assert.deepEqual((await other.history(conversation.id, {before: 9, limit: 5})).items, []);
    const synced = await rest.sync({conversations: [{id: conversation.id, seq: 0, change_seq: 0}]});
    assert.deepEqual(synced.conversations[0].changes.map((c) => c.kind), ['read', 'recalled']);
    await assert.rejects(rest.history('1'), {status: 404, code: 'not_found'});
    await assert.rejects(rest.conversations({limit: 0}), {status: 400, code: 'invalid_argument'});
});

test('every REST call about accounts, friends and notifications', needsServer, async () => {
    const suffix = `${process.pid}`;
    const sign = async (name) => {
        const client = new TidingsClient({url, WebSocket});
        const account = await client.rest.register({user_id: `${name}-${suffix}`, password: 'a long enough one', nickname: name});
        client.setToken(account.token);
        return client;
    };
    const anonymous = new TidingsClient({url, WebSocket});
    await assert.rejects(anonymous.rest.login({user_id: 'nobody', password: 'x'}), {code: 'credentials_invalid'});
    await assert.rejects(anonymous.rest.me(), {code: 'token_invalid'});
    const [d, e] = [await sign('dora'), await sign('emil')];
    const [dora, emil] = [`dora-${suffix}`, `emil-${suffix}`];
    await assert.rejects(sign('dora'), {code: 'conflict', status: 409});
    assert.equal((await d.rest.login({user_id: dora, password: 'a long enough one'})).user.nickname, 'dora');
    assert.equal((await d.rest.updateMe({avatar_url: 'https://example.org/d.png'})).avatar_url, 'https://example.org/d.png');
    assert.equal((await d.rest.me()).user_id, dora);
    assert.equal((await e.rest.user(dora)).nickname, 'dora');

    e.connect();
    await e.ready();
    const heard = [];
    e.on('notification', (n) => heard.push(n));
    await d.rest.requestFriend(emil, 'hello');
    assert.equal((await until('the request', () => heard[0])).kind, 'friend_request');
    assert.deepEqual((await d.rest.friendRequests({direction: 'out'})).items.map((r) => r.user.user_id), [emil]);
    assert.deepEqual((await e.rest.friendRequests()).items.map((r) => [r.user.user_id, r.note]), [[dora, 'hello']]);
    assert.equal(await e.rest.declineFriend(dora), undefined);
    await assert.rejects(d.rest.requestFriend(emil), {code: 'rate_limited'});
    await e.rest.requestFriend(dora);
    assert.equal((await d.rest.acceptFriend(emil)).user.user_id, emil);
    assert.deepEqual((await d.rest.friends()).items.map((f) => f.user.user_id), [emil]);
    await e.block(dora);
    assert.deepEqual((await e.blocked()).map((profile) => profile.user_id), [dora]);
    assert.deepEqual((await e.rest.blocked({limit: 1})).items.map((profile) => profile.user_id), [dora]);
    await assert.rejects(d.rest.send({to_user_id: emil, message_type: 'text', content: 'x'}), {code: 'blocked'});
    await e.unblock(dora);
    assert.deepEqual(await e.blocked(), []);

    const service = new TidingsClient({url, WebSocket, token: await ask('token', 'moments', 600, 'scope', 'notify')});
    await service.rest.notify({user_id: emil, kind: 'moment_comment', actor_id: dora, ref: {kind: 'moment', id: '7'}, body: 'nice'});
    const comment = await until('the comment', () => heard.find((n) => n.kind === 'moment_comment'));
    assert.deepEqual([comment.actor.user_id, comment.ref, comment.body], [dora, {kind: 'moment', id: '7'}, 'nice']);
    assert.equal((await e.rest.notifications({limit: 1})).items[0].id, comment.id);
    const before = await e.rest.unreadNotifications();
    assert.equal((await e.rest.readNotification(comment.id)).is_read, true);
    assert.equal(await e.rest.unreadNotifications(), before - 1);
    assert.equal(await d.rest.removeFriend(emil), undefined);
    assert.deepEqual((await d.rest.friends()).items, []);
    await e.close();
});
