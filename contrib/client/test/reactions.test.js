// SPDX-License-Identifier: BSD-2-Clause
// Proves reactions and pins: what an event makes of a message's reactions, that each is told once and an older one after a
// newer one not at all, that messages hold what was told before them, and what is told after an absence.
import assert from 'node:assert/strict';
import {afterEach, test} from 'node:test';
import {ask, closeAll, friends, history, lossy, needsServer, open, told, until} from './kit.js';
import {withReaction} from '../src/index.js';
import {Ledger} from '../src/ledger.js';
import {isPartOf} from '../src/reactions.js';

afterEach(closeAll);

const change = (user_id, emoji, added, count, change_seq = 1, message_id = 'm1') =>
    ({conversation_id: 'c', message_id, seq: 1, change_seq, user_id, emoji, added, count});
const message = (seq, more = {}) => ({id: `m${seq}`, conversation_id: 'c', seq, from_user_id: 'bob', to_user_id: 'alice',
    content: `${seq}`, is_recalled: false, is_read: false, edited_at: null, reactions: [], ...more});
const brief = (reactions) => reactions.map(({emoji, count, user_ids}) => `${emoji}${count} ${user_ids}`);

function ledgerAt(seq) {
    const events = [];
    const ledger = new Ledger({event: (name, e) => events.push([name, e]), gap: () => {}, behind: () => {}, moved: () => {}});
    ledger.restore([['c', 'bob', seq, 0]]);
    return {ledger, take: () => events.splice(0)};
}

test('what an event makes of the reactions', () => {
    let now = [];
    const after = (...args) => brief(now = withReaction(now, change(...args)));
    assert.deepEqual(after('ann', 'x', true, 1), ['x1 ann']);
    assert.deepEqual(after('ben', 'y', true, 1), ['x1 ann', 'y1 ben']);
    assert.deepEqual(after('ben', 'x', true, 2), ['x2 ann,ben', 'y1 ben']);
    assert.deepEqual(after('ben', 'x', true, 2), ['x2 ann,ben', 'y1 ben'], 'the same again');
    for (const [i, user] of ['c', 'd', 'e', 'f'].entries())
        after(user, 'x', true, 3 + i);
    assert.deepEqual(brief(now), ['x6 ann,ben,c,d,e', 'y1 ben'], 'five are named');
    assert.deepEqual(after('ann', 'x', false, 5), ['x5 ben,c,d,e', 'y1 ben'], 'who follows is not known');
    assert.deepEqual(after('ben', 'y', false, 0), ['x5 ben,c,d,e']);
    assert.deepEqual(after('zoe', 'z', false, 3), ['x5 ben,c,d,e', 'z3 ']);
    const before = [{emoji: 'x', count: 1, user_ids: ['a']}];
    withReaction(before, change('b', 'x', true, 2));
    assert.deepEqual(brief(before), ['x1 a'], 'what is given stays as it is');
});

test('each is news once, and an older one after a newer one of its kind is none', () => {
    const {ledger} = ledgerAt(9);
    const news = (...args) => ledger.reacted(change(...args));
    assert.deepEqual([news('ann', 'x', true, 1, 3), news('ann', 'x', true, 1, 3), news('ben', 'x', true, 9, 2), news('ben', 'y', true, 1, 2), news('ann', 'x', false, 0, 4)],
        [true, false, false, true, true]);
    ledger.changed('recalled', 'm1', 'then');
    assert.equal(news('ann', 'x', true, 1, 5), false, 'of a recalled message none');
    assert.deepEqual([ledger.pinned('m1', 2), ledger.pinned('m1', 2), ledger.pinned('m1', 1), ledger.pinned('m1', 3)], [true, false, false, true]);
});

test('what is remembered of them has an end', () => {
    const {ledger} = ledgerAt(9);
    const of = (n, messageId) => ledger.reacted(change(`u${n}`, `e${n}`, true, 1, n, messageId));
    for (let n = 1; n <= 20000; n++)
        assert.ok(of(n, 'm1'), 'each is news');
    assert.ok(ledger.reactionCount <= 400, 'of one message');
    assert.deepEqual([of(1, 'm1'), of(15000, 'm1'), of(19990, 'm1'), of(20000, 'm1'), of(20001, 'm1')], [false, false, false, false, true], 'and none is told again');
    for (let m = 2; m < 500; m++) {
        for (let n = 1; n <= 100; n++)
            of(n, `m${m}`);
    }
    assert.ok(ledger.reactionCount <= 20000, `of all: ${ledger.reactionCount}`);
    assert.deepEqual([of(100, 'm499'), of(100, 'm2')], [false, true], 'those told of last');
    for (let m = 0; m < 30000; m++)
        ledger.reacted(change('u', 'x', true, 1, 1, `k${m}`));
    assert.ok(ledger.reactionCount <= 20000, 'also of messages with one each');
});

test('a message comes with the reactions that were told before it', () => {
    const {ledger, take} = ledgerAt(0);
    ledger.reacted(change('ann', 'x', true, 1, 1));
    ledger.reacted(change('ben', 'x', true, 2, 2));
    ledger.reacted(change('ann', 'x', false, 1, 3));
    ledger.heard(message(1), false);
    ledger.heard(message(2), false);
    assert.deepEqual(take().map(([, m]) => brief(m.reactions)), [['x1 ben'], []]);
    assert.deepEqual(brief(ledger.withReactions(message(1, {reactions: [{emoji: 'y', count: 1, user_ids: ['c']}]})).reactions), ['y1 c', 'x1 ben']);
    const unknown = message(7);
    assert.equal(ledger.withReactions(unknown), unknown);
    ledger.changed('recalled', 'm1', 'then');
    assert.deepEqual(ledger.withReactions(message(1, {is_recalled: true})).reactions, [], 'a recalled one has none');
});

test('an answer that is newer than what was told is not undone', () => {
    const {ledger} = ledgerAt(9);
    ledger.reacted(change('ann', 'x', true, 1, 1));
    const {moment} = ledger;
    ledger.reacted(change('ben', 'x', true, 2, 2));
    const shown = (...kinds) => brief(ledger.withReactions(message(1, {reactions: kinds}), moment).reactions);
    const kind = (count, ...user_ids) => ({emoji: 'x', count, user_ids});
    assert.deepEqual([shown(kind(1, 'ann')), shown(kind(3, 'ann', 'ben', 'cat')), shown()], [['x2 ann,ben'], ['x3 ann,ben,cat'], ['x2 ben']]);
    const many = kind(7, 'a', 'b', 'c', 'd', 'e');
    const part = (...event) => isPartOf([many], change(...event));
    assert.deepEqual([part('z', 'x', true, 7), part('z', 'x', true, 8), part('z', 'x', false, 7), part('z', 'x', false, 6), part('a', 'x', true, 9), part('a', 'x', false, 6), part('a', 'y', false, 0)],
        [true, false, true, false, true, false, true]);
});

test('after sync what it told is not undone by older events', () => {
    const {ledger, take} = ledgerAt(9);
    ledger.reacted(change('zoe', 'z', true, 1, 9));
    const changes = [{change_seq: 1, kind: 'reaction', message_id: 'm1'}, {change_seq: 2, kind: 'reaction', message_id: 'm1'},
        {change_seq: 3, kind: 'pinned', message_id: 'm2'}, {change_seq: 4, kind: 'unpinned', message_id: 'm2'}, {change_seq: 5, kind: 'pinned', message_id: 'm2'}];
    ledger.merge({conversation: {id: 'c', peer: {user_id: 'bob'}, last_message: message(9), change_seq: 5}, messages: [], changes, has_more: false,
        updated: [message(1, {reactions: [{emoji: 'x', count: 2, user_ids: ['ann', 'ben']}]}), message(2)]}, true);
    const told = take();
    assert.deepEqual(told.map(([name, e]) => [name, e.message?.id ?? `${e.message_id} ${e.pinned} ${e.by}`]),
        [['pinned', 'm2 true null'], ['pinned', 'm2 false null'], ['pinned', 'm2 true null'], ['updated', 'm1'], ['updated', 'm2']]);
    assert.deepEqual(brief(told[3][1].message.reactions), ['x2 ann,ben', 'z1 zoe'], 'with what came later');
    assert.equal(ledger.reacted(change('ann', 'x', true, 1, 1)), false, 'an event of what was told is none');
    assert.equal(ledger.reacted(change('cat', 'x', true, 3, 6)), true);
    assert.equal(ledger.pinned('m2', 5), false);
});

test('no number of reactions to one message is remembered without end', () => {
    const {ledger} = ledgerAt(9);
    for (let i = 1; i <= 1000; i++)
        ledger.reacted(change(`u${i}`, 'x', true, i, i));
    const [{count, user_ids}] = ledger.withReactions(message(1)).reactions;
    assert.deepEqual([count, user_ids.length], [1000, 5]);
});

test('all sessions of both sides are told of reactions and pins', needsServer, async () => {
    const [alice, bob] = await friends('alice', 'bob');
    const [a, a2, b] = await Promise.all([open(alice, {device: 'web'}), open(alice, {device: 'ios'}), open(bob)]);
    const sent = await a.send({to: bob, content: 'hi'}).done;
    await told(b, 1);
    assert.deepEqual(await b.react(sent.id, '👍'), [{emoji: '👍', count: 1, user_ids: [bob]}]);
    assert.deepEqual(await b.react(sent.id, '👍'), [{emoji: '👍', count: 1, user_ids: [bob]}], 'again');
    assert.deepEqual(await a.react(sent.id, '👍'), [{emoji: '👍', count: 2, user_ids: [bob, alice]}]);
    const keycap = '#️⃣'; // has a sign that a path must not have as it is
    await a.react(sent.id, keycap);
    assert.deepEqual((await b.unreact(sent.id, '👍')).map(({emoji, count}) => `${emoji}${count}`), ['👍1', `${keycap}1`]);
    for (const client of [a, a2, b]) {
        await until('the events', () => client.seen.reaction.length === 4);
        assert.deepEqual(client.seen.reaction.map((e) => [e.message_id, e.seq, e.user_id, e.emoji, e.added, e.count]),
            [[bob, '👍', true, 1], [alice, '👍', true, 2], [alice, keycap, true, 1], [bob, '👍', false, 1]].map((e) => [sent.id, 1, ...e]));
        const now = client.seen.reaction.reduce(withReaction, []);
        assert.deepEqual(now, (await client.rest.message(sent.id)).reactions);
        assert.deepEqual(client.withReactions({...sent, reactions: []}, 0).reactions, now);
        assert.deepEqual(client.withReactions({...sent, reactions: []}, client.moment).reactions, []);
    }
    assert.deepEqual((await a.rest.reactions(sent.id, {emoji: '👍'})).items.map((r) => [r.user_id, r.emoji]), [[alice, '👍']]);
    assert.deepEqual((await a.rest.reactions(sent.id, {user_id: alice})).items.filter((r) => r.user_id !== alice), []);
    await b.pin(sent.id);
    await b.pin(sent.id);
    await until('the pin', () => a.seen.pinned.length === 1 && a2.seen.pinned.length === 1 && b.seen.pinned.length === 1);
    assert.deepEqual(a.seen.pinned.map((e) => [e.message_id, e.pinned, e.by]), [[sent.id, true, bob]]);
    assert.deepEqual((await a.rest.pins(sent.conversation_id)).items.map((m) => m.id), [sent.id]);
    await a.unpin(sent.id);
    await until('its end', () => b.seen.pinned.length === 2);
    assert.deepEqual([b.seen.pinned[1].pinned, (await b.rest.pins(sent.conversation_id)).items], [false, []]);
    await a.recall(sent.id);
    await assert.rejects(b.react(sent.id, '👍'), {code: 'conflict', status: 409});
});

test('after an absence one is told how it is now', needsServer, async () => {
    const [alice, bob] = await friends('alice', 'bob');
    const [a, b] = await Promise.all([open(alice), open(bob)]);
    const sent = await Promise.all([1, 2].map((n) => a.send({to: bob, content: `${n}`}).done));
    await told(b, 2);
    await ask('kick', bob);
    await until('the end', () => b.state === 'replaced');
    await a.react(sent[0].id, '🎉');
    await a.react(sent[0].id, '👍');
    await a.unreact(sent[0].id, '🎉');
    await a.pin(sent[1].id);
    await b.connect().ready();
    await until('what was done', () => b.seen.updated.length === 2 && b.seen.pinned.length === 1);
    assert.deepEqual(b.seen.updated.map(({message: m}) => brief(m.reactions)), [[`👍1 ${alice}`], []]);
    assert.deepEqual([b.seen.pinned[0].message_id, b.seen.pinned[0].pinned, b.seen.pinned[0].by], [sent[1].id, true, null]);
    assert.deepEqual(b.seen.reaction, []);
    await a.react(sent[1].id, '🎉');
    await until('the event', () => b.seen.reaction.length === 1);
    assert.deepEqual((await history(b, sent[0].conversation_id)).map((m) => brief(m.reactions)), [[`👍1 ${alice}`], [`🎉1 ${alice}`]]);
});

test('a reaction whose event is lost shows with the next change', needsServer, async () => {
    const [alice, bob] = await friends('alice', 'bob');
    let lost = 0;
    const b = await open(bob, {WebSocket: lossy((frame) => frame.type !== 'reaction' || lost++ > 0)});
    const a = await open(alice);
    const sent = await a.send({to: bob, content: 'hi'}).done;
    await told(b, 1);
    await a.react(sent.id, '👍');
    await until('the first to be lost', () => lost === 1);
    await a.react(sent.id, '🎉');
    await until('both', () => b.seen.updated.length > 0);
    assert.deepEqual(brief(b.seen.updated.at(-1).message.reactions), [`👍1 ${alice}`, `🎉1 ${alice}`]);
});
