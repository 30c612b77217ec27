// SPDX-License-Identifier: BSD-2-Clause
// Proves what the chat page knows of others: who is online, when they were seen, and for how long that holds.
import assert from 'node:assert/strict';
import {test} from 'node:test';

globalThis.document = {documentElement: {}};
Object.defineProperty(globalThis, 'navigator', {value: {languages: ['en']}, configurable: true});
const {People} = await import(`${process.env.TIDINGS_WEB}/js/people.js`);

const SEEN = '2026-11-23T03:02:00.456Z';

// A client whose user has a friend, ben.
async function peopleOf(friend) {
    const rest = Object.fromEntries(['friends', 'friendRequests', 'blocked'].map((list) => [list, () => list]));
    rest.each = async function* (page) {
        if (page() === 'friends')
            yield {user: {user_id: 'ben', nickname: 'Ben', avatar_url: null}, blocked: false, ...friend};
    };
    let hear = null;
    const client = {rest, userId: 'ann', watch: () => {}, on: (name, handle) => {
        hear = (event) => handle({user_id: 'ben', ...event});
    }};
    const people = new People(client, () => {});
    people.connected(true);
    await people.load();
    return {people, hear};
}

test('when they were last seen is what the server said last, also if that is nothing', async () => {
    const {people, hear} = await peopleOf({online: false, last_seen: SEEN});
    assert.deepEqual([people.isOnline('ben'), people.lastSeen('ben')], [false, SEEN]);
    hear({online: false, last_seen: null});
    assert.deepEqual([people.isOnline('ben'), people.lastSeen('ben')], [false, null]);
    assert.equal(people.isOnline('eve'), null);
});

test('without a connection nobody is online or offline', async () => {
    const {people} = await peopleOf({online: true, last_seen: null});
    assert.equal(people.isOnline('ben'), true);
    people.connected(false);
    assert.deepEqual([people.isOnline('ben'), people.lastSeen('ben')], [null, null]);
    await people.load(); // under way when the connection was lost
    assert.equal(people.isOnline('ben'), null);
    people.connected(true);
    await people.load();
    assert.equal(people.isOnline('ben'), true);
});

test('friends are in the order of their names, those who are online first', async () => {
    const users = [['zoe', 'Abe', false], ['ben', 'Ben', true], ['abe', 'Élodie', null], ['dan', 'dan', false], ['eve', 'Fay', true]];
    const rest = Object.fromEntries(['friends', 'friendRequests', 'blocked'].map((list) => [list, () => list]));
    rest.each = async function* (page) {
        if (page() === 'friends')
            yield* [...users].reverse().map(([user_id, nickname, online]) => ({user: {user_id, nickname, avatar_url: null}, blocked: false, online, last_seen: null}));
    };
    const people = new People({rest, userId: 'ann', watch: () => {}, on: () => {}}, () => {});
    people.connected(true);
    await people.load();
    assert.deepEqual([...people.friends.keys()], ['zoe', 'ben', 'dan', 'abe', 'eve']);
    assert.deepEqual(people.sortedFriends().map(({user}) => user.user_id), ['ben', 'eve', 'zoe', 'dan', 'abe']);
});
