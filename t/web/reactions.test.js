// SPDX-License-Identifier: BSD-2-Clause
// Proves the user's reactions: they show at once, the server's answer puts them right, a refusal undoes them, several to one
// message go one after the other; and which of many are the user's own. Pins: what is shown of them.
import assert from 'node:assert/strict';
import {test} from 'node:test';

globalThis.document = {documentElement: {}};
Object.defineProperty(globalThis, 'navigator', {value: {languages: ['en']}, configurable: true});
const {Conversations} = await import(`${process.env.TIDINGS_WEB}/js/conversations.js`);
const {Reactions} = await import(`${process.env.TIDINGS_WEB}/js/reactions.js`);
const {Pins, mayPin, mayUnpin} = await import(`${process.env.TIDINGS_WEB}/js/pins.js`);

const message = (seq, more = {}) => ({id: `m${seq}`, conversation_id: 'c', seq, from_user_id: 'ben', to_user_id: 'me', message_type: 'text', content: `${seq}`,
    is_recalled: false, is_read: true, read_at: null, edited_at: null, created_at: `2026-01-01T00:00:0${seq}.000Z`, mentions: [], reactions: [], ...more});
const kind = (emoji, count, ...user_ids) => ({emoji, count, user_ids});
const brief = (reactions) => reactions.map(({emoji, count, user_ids}) => `${emoji}${count} ${user_ids}`).join('; ');

// A client whose answers wait until the test gives them.
function setting(first = []) {
    const conversations = new Conversations();
    conversations.me = 'me';
    conversations.heard(message(1, {reactions: first}));
    const asked = [];
    const ask = (what) => (...args) => new Promise((resolve, reject) => asked.push({what, args, resolve, reject}));
    const client = {react: ask('react'), unreact: ask('unreact'), withReactions: (m) => m, pin: ask('pin'), unpin: ask('unpin'),
        rest: {message: ask('message'), reactions: ask('reactions'), pins: ask('pins')}};
    const reactions = new Reactions(client, conversations, 'me', () => {});
    const now = () => conversations.messageOf({conversation_id: 'c', id: 'm1'});
    return {asked, client, conversations, reactions, now, shown: () => brief(now().reactions)};
}

const turn = () => new Promise((resolve) => setTimeout(resolve, 0));

test('it shows at once, and the answer puts it right', async () => {
    const {asked, reactions, now, shown} = setting([kind('x', 1, 'ben')]);
    const done = reactions.toggle(now(), 'x');
    assert.equal(shown(), 'x2 ben,me');
    await turn();
    asked.shift().resolve([kind('x', 3, 'ben', 'cat', 'me')]);
    await done;
    assert.equal(shown(), 'x3 ben,cat,me');
    const back = reactions.toggle(now(), 'x');
    assert.equal(shown(), 'x2 ben,cat');
    await turn();
    assert.equal(asked[0].what, 'unreact');
    asked.shift().resolve([kind('x', 2, 'ben', 'cat')]);
    await back;
    assert.equal(shown(), 'x2 ben,cat');
});

test('a refusal undoes it, and the message is asked for', async () => {
    const {asked, reactions, now, shown} = setting([kind('x', 1, 'ben')]);
    const done = reactions.toggle(now(), 'y');
    assert.equal(shown(), 'x1 ben; y1 me');
    await turn();
    asked.shift().reject(new Error('muted'));
    await assert.rejects(done, /muted/);
    assert.equal(shown(), 'x1 ben');
    await turn();
    assert.equal(asked[0].what, 'message');
    asked.shift().resolve(message(1, {reactions: [kind('z', 1, 'cat')]}));
    await turn();
    assert.equal(shown(), 'z1 cat');
});

test('an answer that a recall has overtaken shows nothing', async () => {
    const {asked, conversations, reactions, now, shown} = setting();
    const done = reactions.toggle(now(), 'x');
    await turn();
    conversations.recalled('c', 'm1', 'then');
    asked.shift().resolve([kind('x', 1, 'me')]);
    await done;
    assert.deepEqual([now().is_recalled, shown()], [true, '']);
});

test('several to one message go one after the other, and only the last answer is shown', async () => {
    const {asked, reactions, now, shown} = setting();
    const first = reactions.toggle(now(), 'x');
    const second = reactions.toggle(now(), 'x');
    await turn();
    assert.deepEqual(asked.map(({what}) => what), ['react']);
    assert.equal(shown(), '');
    asked.shift().resolve([kind('x', 1, 'me')]);
    await first;
    assert.equal(shown(), '', 'it was taken back meanwhile');
    await turn();
    assert.equal(asked[0].what, 'unreact');
    asked.shift().resolve([]);
    await second;
    assert.equal(shown(), '');
});

test('which of many are the user\'s own', async () => {
    const many = kind('x', 9, 'a', 'b', 'c', 'd', 'e');
    const {asked, reactions, now} = setting([many, kind('y', 2, 'a', 'b')]);
    const own = (one) => reactions.isOwn(now(), one);
    assert.deepEqual([own(kind('y', 2, 'a', 'b')), own(kind('y', 2, 'a', 'me')), own(many)], [false, true, null]);
    reactions.want(now());
    reactions.want(now());
    assert.deepEqual(asked.map(({what, args}) => [what, args[0], args[1].user_id]), [['reactions', 'm1', 'me']], 'asked once');
    asked.shift().resolve({items: [{user_id: 'me', emoji: 'x'}], next_cursor: null});
    await turn();
    assert.equal(own(many), true);
    reactions.heard({conversation_id: 'c', message_id: 'm1', user_id: 'me', emoji: 'x', added: false, count: 8});
    assert.equal(own(now().reactions[0]), false, 'and an event tells it, too');
});

test('a click where that is not known asks first, and takes back what is the user\'s', async () => {
    const many = kind('x', 9, 'a', 'b', 'c', 'd', 'e');
    const {asked, reactions, now} = setting([many]);
    const done = reactions.toggle(now(), 'x');
    assert.deepEqual([asked.map(({what}) => what), now().reactions[0].count], [['reactions'], 9]);
    asked.shift().resolve({items: [{user_id: 'me', emoji: 'x'}], next_cursor: null});
    await turn();
    assert.deepEqual([asked[0].what, now().reactions[0].count], ['unreact', 8]);
    asked.shift().resolve([kind('x', 8, 'a', 'b', 'c', 'd', 'e')]);
    await done;
    assert.equal(reactions.isOwn(now(), now().reactions[0]), false);
});

test('after a failure nothing is known that is not so', async () => {
    const many = kind('x', 9, 'a', 'b', 'c', 'd', 'e');
    const {asked, reactions, now} = setting([many]);
    const unknown = reactions.toggle(now(), 'x');
    asked.shift().reject(new Error('away'));
    await assert.rejects(unknown, /away/);
    assert.deepEqual([reactions.isOwn(now(), many), now().reactions[0].count], [null, 9], 'it could not be asked');
    const lost = reactions.toggle(now(), 'x');
    asked.shift().resolve({items: [], next_cursor: null});
    await turn();
    assert.equal(asked[0].what, 'react');
    asked.shift().reject(Object.assign(new Error('timeout'), {transient: true}));
    await assert.rejects(lost, /timeout/);
    assert.equal(reactions.isOwn(now(), many), null, 'it may have been done');
    asked.shift().resolve(message(1, {reactions: [kind('x', 10, 'a', 'b', 'c', 'd', 'e')]}));
    await turn();
    assert.equal(asked.shift().what, 'reactions', 'and is asked for');
});

test('few at a time, and not without end', async () => {
    const {asked, reactions, conversations} = setting();
    const rows = Array.from({length: 400}, (_, i) => message(i + 2, {created_at: '2026-01-01T00:00:00.000Z', reactions: [kind('x', 9, 'a', 'b', 'c', 'd', 'e'), kind('y', 7, 'a', 'b', 'c', 'd', 'e')]}));
    rows.forEach((m) => conversations.heard(m));
    rows.forEach((m) => reactions.want(m));
    assert.deepEqual(asked.map(({args}) => args[0]), ['m2', 'm3', 'm4', 'm5']);
    const seen = [];
    while (asked.length > 0) {
        assert.ok(asked.length <= 4, 'few at a time');
        const one = asked.shift();
        seen.push(one.args[0]);
        one.resolve({items: [], next_cursor: null});
        await turn();
        await turn();
    }
    assert.deepEqual([seen.length, seen[4], seen.at(-1)], [54, 'm401', 'm352'], 'one request for a message; the last ones, the newest first');
    reactions.want(rows[399]);
    assert.equal(asked.length, 0, 'what is known is not asked again');
    reactions.want(rows[300]);
    asked.shift().reject(new Error('limited'));
    await turn();
    assert.equal(asked.length, 0, 'what fails is not asked again by itself');
});

test('what was known by the names is known when they are too many', () => {
    const {asked, reactions, now} = setting([kind('x', 5, 'a', 'b', 'c', 'd', 'me'), kind('y', 5, 'a', 'b', 'c', 'd', 'e')]);
    for (const emoji of ['x', 'y'])
        reactions.heard({conversation_id: 'c', message_id: 'm1', user_id: 'f', emoji, added: true, count: 6});
    reactions.heard({conversation_id: 'c', message_id: 'm1', user_id: 'a', emoji: 'x', added: false, count: 5});
    reactions.want(now());
    assert.deepEqual([now().reactions.map((r) => reactions.isOwn(now(), r)), asked.length], [[true, false], 0]);
});

test('events change what is here, and a recall ends it', () => {
    const {conversations, reactions, shown, now} = setting();
    const heard = (user_id, emoji, added, count, message_id = 'm1') => reactions.heard({conversation_id: 'c', message_id, user_id, emoji, added, count});
    heard('ben', 'x', true, 1);
    heard('cat', 'x', true, 2);
    heard('ben', 'x', false, 1);
    heard('ben', 'y', true, 1, 'm99');
    assert.equal(shown(), 'x1 cat');
    assert.equal(brief(conversations.get('c').last.reactions), 'x1 cat');
    conversations.recalled('c', 'm1', 'then');
    heard('ben', 'x', true, 2);
    assert.deepEqual([now().is_recalled, shown()], [true, '']);
});

test('what is pinned', async () => {
    const {asked, client, conversations} = setting();
    const c = conversations.get('c');
    const pins = new Pins(client, () => {}, (m) => conversations.messageOf(m) ?? m);
    const ids = () => pins.of(c).map(({id}) => id);
    pins.heard(c, {message_id: 'm1', pinned: true});
    assert.deepEqual([ids(), asked.length], [[], 0], 'of a conversation that nobody looks at nothing is asked');
    const loading = pins.show(c);
    asked.shift().resolve({items: [message(2)], next_cursor: '7'});
    await turn();
    assert.equal(asked[0].args[1].cursor, '7', 'page by page');
    asked.shift().resolve({items: [message(1)], next_cursor: null});
    await loading;
    assert.deepEqual([ids(), pins.has(message(1)), pins.has(message(3))], [['m2', 'm1'], true, false]);
    const pinning = pins.pin(c, message(3));
    asked.shift().resolve();
    await pinning;
    assert.deepEqual(ids(), ['m3', 'm2', 'm1']);
    conversations.recalled('c', 'm1', 'then');
    assert.deepEqual(ids(), ['m3', 'm2'], 'a recalled one is not any more');
    pins.heard(c, {message_id: 'm3', pinned: false});
    assert.deepEqual(ids(), ['m2']);
    pins.heard(c, {message_id: 'm3', pinned: true});
    assert.deepEqual(ids(), ['m2'], 'one that is not here has to be asked for');
    pins.forget(c);
    assert.deepEqual(ids(), []);
});

// Timers that the test has run out.
function timers(t) {
    const set = new Map();
    let last = 0;
    t.mock.method(globalThis, 'setTimeout', (fn, ms) => set.set(++last, {fn, ms}) && last);
    t.mock.method(globalThis, 'clearTimeout', (id) => set.delete(id));
    return {waits: () => [...set.values()].map(({ms}) => ms), run: () => [...set].forEach(([id, {fn}]) => set.delete(id) && fn())};
}

const micro = async () => {
    for (let i = 0; i < 20; i++)
        await null;
};

test('not everybody asks at once what is pinned', async (t) => {
    const {asked, client, conversations} = setting();
    const clock = timers(t);
    const c = conversations.get('c'), other = {id: 'other', byId: () => null, group: {member_count: 10000}};
    const pins = new Pins(client, () => {}, (m) => conversations.messageOf(m) ?? m);
    const answer = async (...items) => {
        asked.shift().resolve({items, next_cursor: null});
        await micro();
    };
    pins.show(c);
    await answer();
    pins.heard(c, {message_id: 'm1', pinned: true});
    assert.deepEqual([pins.of(c).map(({id}) => id), clock.waits(), asked.length], [['m1'], [], 0], 'what is here need not be asked for');
    pins.heard(c, {message_id: 'm1', pinned: false});
    assert.deepEqual([pins.of(c), clock.waits()], [[], []], 'nor what is not pinned any more');
    pins.show(other);
    await answer();
    pins.heard(c, {message_id: 'm9', pinned: true});
    assert.deepEqual([clock.waits(), asked.length], [[], 0], 'of a conversation that is not open nothing is asked');
    t.mock.method(Math, 'random', () => 0.5);
    for (let i = 0; i < 100; i++)
        pins.heard(other, {message_id: 'm9', pinned: i % 2 === 0});
    pins.heard(other, {message_id: 'm9', pinned: true});
    assert.deepEqual([clock.waits().length, asked.length], [1, 0], 'several are asked for once');
    assert.ok(clock.waits()[0] > 20000, 'in a large group at some time within the next minute');
    clock.run();
    assert.deepEqual(asked.map(({args}) => args[0]), ['other']);
    pins.heard(other, {message_id: 'm8', pinned: false});
    await answer(message(9), message(8));
    assert.equal(clock.waits().length, 1, 'an answer that an event has overtaken is asked for again');
    clock.run();
    await answer(message(9));
    assert.deepEqual([pins.of(other).map(({id}) => id), clock.waits()], [['m9'], []]);
    pins.heard(other, {message_id: 'm7', pinned: true});
    pins.show(c);
    assert.deepEqual([clock.waits(), asked.map(({args}) => args[0])], [[], ['c']], 'what is looked at is asked for at once, and the other no more');
});

test('what could not be asked is asked again after catching up', async () => {
    const {asked, client, conversations} = setting();
    const c = conversations.get('c');
    const pins = new Pins(client, () => {}, (m) => m);
    const loading = pins.show(c);
    asked.shift().reject(Object.assign(new Error('disconnected'), {transient: true}));
    await loading;
    pins.caughtUp();
    assert.equal(asked[0].what, 'pins');
    asked.shift().resolve({items: [message(1)]});
    await turn();
    assert.deepEqual(pins.of(c).map(({id}) => id), ['m1']);
    pins.caughtUp();
    assert.equal(asked.length, 0);
});

test('who may pin', () => {
    const group = (role, more = {}) => ({isGroup: true, gone: null, group: {role, dissolved_at: null}, ...more});
    assert.deepEqual([mayPin({isGroup: false}, true), mayPin({isGroup: false}, false), mayUnpin({isGroup: false})], [true, false, true]);
    assert.deepEqual(['owner', 'admin', 'member'].map((role) => mayPin(group(role), true)), [true, true, false]);
    assert.deepEqual([mayUnpin(group('member')), mayUnpin(group('admin')), mayPin(group('owner', {gone: 'left'})), mayPin(group('owner', {group: null}))], [false, true, false, false]);
});
