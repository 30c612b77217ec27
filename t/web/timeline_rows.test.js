// SPDX-License-Identifier: BSD-2-Clause
// Proves what the timeline shows of a group: runs of one sender, a line for each day, what happened in words, and nothing
// of events that this version does not know.
import assert from 'node:assert/strict';
import {test} from 'node:test';

globalThis.document = {documentElement: {}};
Object.defineProperty(globalThis, 'navigator', {value: {languages: ['en']}, configurable: true});
const {Conversation} = await import(`${process.env.TIDINGS_WEB}/js/conversations.js`);
const {timelineRows, versionOf} = await import(`${process.env.TIDINGS_WEB}/js/timeline_rows.js`);

const chat = {me: 'ann', canReactIn: () => true, title: () => 'Walkers', outgoing: {to: () => []}, shortText: ({content}) => content,
    people: {name: (id) => id.toUpperCase(), profile: (id) => ({user_id: id, nickname: null, avatar_url: null}), isTrusted: () => false}};

function message(seq, from, at, fields = {}) {
    return {id: String(seq), seq, conversation_id: '17179869184', from_user_id: from, to_user_id: null, message_type: 'text', content: `m${seq}`, media_url: null,
        extra: null, client_msg_id: null, reply_to: null, mentions: [], is_read: null, is_recalled: false, created_at: `2026-11-${at}.000Z`, ...fields};
}

const system = (seq, event, users, at = '23T10:00:00') => message(seq, 'ben', at, {message_type: 'system', content: null, extra: {event, user_ids: users}});

function rowsOf(...messages) {
    const c = new Conversation('17179869184', null, '2026-11-23T00:00:00.000Z');
    c.history.putPage(messages, false);
    return timelineRows(chat, c);
}

test('runs of one sender', () => {
    const rows = rowsOf(message(1, 'ben', '23T10:00:00'), message(2, 'ben', '23T10:01:00'), message(3, 'cat', '23T10:02:00'), message(4, 'ann', '23T10:02:01'),
        message(5, 'cat', '23T10:02:02'), message(6, 'cat', '23T10:12:00')).filter(({kind}) => kind === 'message');
    assert.deepEqual(rows.map(({first, last}) => [first, last]), [[true, false], [false, true], [true, true], [true, true], [true, true], [true, true]]);
    assert.deepEqual(rows.map(({sender, name}) => sender && name), ['BEN', 'BEN', 'CAT', null, 'CAT', 'CAT']);
});

test('what happened, once a line for its day', () => {
    const rows = rowsOf(system(1, 'created', ['ben', 'ann']), message(2, 'ben', '23T10:00:01'), system(3, 'added', ['cat']), message(4, 'ben', '23T10:00:02'), message(5, 'ben', '26T10:00:00'));
    assert.deepEqual(rows.map(({kind}) => kind), ['top', 'day', 'system', 'message', 'system', 'message', 'day', 'message']);
    assert.equal(rows[4].text, 'BEN added CAT');
    assert.deepEqual(rows.map(({first}) => first).filter((first) => first !== undefined), [true, true, true], 'a run ends there');
});

test('events of a later version are not there', () => {
    assert.deepEqual(rowsOf(system(1, 'celebrated', ['ann']), system(2, 'added', [])).map(({kind}) => kind), ['top']);
});

test('a name that comes later draws the row anew', () => {
    const [row] = rowsOf(message(1, 'ben', '23T10:00:00', {mentions: ['cat', '*']})).slice(-1);
    const before = versionOf(row);
    row.mentions[0].name = 'Cat';
    assert.notEqual(versionOf(row), before);
    assert.ok(row.ofMe);
});
