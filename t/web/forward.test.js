// SPDX-License-Identifier: BSD-2-Clause
// Proves which messages can be selected, how many, and what becomes of the selection while messages change; and how what was
// forwarded is put in words, whatever it holds.
import assert from 'node:assert/strict';
import {test} from 'node:test';

globalThis.document = {documentElement: {}};
Object.defineProperty(globalThis, 'navigator', {value: {languages: ['en']}, configurable: true});
const {SELECTED_MAX, Selection, isSelectable} = await import(`${process.env.TIDINGS_WEB}/js/selection.js`);
const {authorName, cardOf, itemsOf} = await import(`${process.env.TIDINGS_WEB}/js/forwarded.js`);

const message = (seq, more = {}) => ({id: `m${seq}`, seq, message_type: 'text', is_recalled: false, ...more});
const ids = (selection) => selection.messages.map(({id}) => id);

test('which can be selected', () => {
    assert.deepEqual([message(1), message(1, {message_type: 'sticker'}), message(1, {is_recalled: true}), message(1, {message_type: 'system'}), message(null)].map(isSelectable),
        [true, true, false, false, false]);
});

test('selecting', () => {
    const selection = new Selection();
    assert.ok(selection.toggle(message(3)) && selection.toggle(message(1)) && selection.toggle(message(2)));
    assert.deepEqual([ids(selection), selection.count], [['m1', 'm2', 'm3'], 3], 'in the order of seq');
    selection.toggle(message(2));
    assert.deepEqual([ids(selection), selection.has(message(2)), selection.has(message(3))], [['m1', 'm3'], false, true]);
});

test('up to another one', () => {
    const shown = Array.from({length: 10}, (_, i) => message(i + 1, i === 4 ? {is_recalled: true} : {}));
    const selection = new Selection();
    selection.toggle(shown[2]);
    assert.ok(selection.extendTo(shown[6], shown));
    assert.deepEqual(ids(selection), ['m3', 'm4', 'm6', 'm7']);
    assert.ok(selection.extendTo(shown[0], shown));
    assert.deepEqual(ids(selection), ['m1', 'm2', 'm3', 'm4', 'm6', 'm7'], 'backwards from there');
    const fresh = new Selection();
    fresh.extendTo(shown[3], shown);
    assert.deepEqual(ids(fresh), ['m4'], 'where nothing was selected it alone');
});

test('no more than can be forwarded', () => {
    const shown = Array.from({length: 200}, (_, i) => message(i + 1));
    const selection = new Selection();
    selection.toggle(shown[0]);
    assert.equal(selection.extendTo(shown[199], shown), false);
    assert.equal(selection.count, SELECTED_MAX);
    assert.equal(selection.toggle(message(500)), false);
    assert.equal(selection.toggle(shown[0]), true, 'one less');
    assert.equal(selection.toggle(message(500)), true);
});

test('what is gone is not selected any more', () => {
    const selection = new Selection();
    [1, 2, 3].forEach((n) => selection.toggle(message(n)));
    const now = {m1: message(1, {content: 'edited'}), m2: message(2, {is_recalled: true})};
    selection.refresh(({id}) => now[id] ?? null);
    assert.deepEqual(selection.messages, [now.m1]);
});

const chat = {me: 'ann', people: {name: (id) => ({ben: 'Ben', dan: 'dan'})[id] ?? id}};
const item = (user_id, content, more = {}) => ({user_id, nickname: null, message_type: 'text', content, created_at: '2026-11-23T03:01:21.123Z', ...more});

test('who wrote it', () => {
    assert.deepEqual([authorName(chat, 'ann', 'Ann'), authorName(chat, 'ann', null, 'you'), authorName(chat, 'ben', 'Other'), authorName(chat, 'zoe', 'Zoe'), authorName(chat, 'zoe', null),
        authorName(chat, 'zoe', '\u202e\u200b'), authorName(chat, 'zoe', 'Z\u202eoe'), authorName(chat, 'zoe', 7)],
    ['You', 'you', 'Ben', 'Zoe', 'zoe', 'zoe', 'Zoe', 'zoe']);
});

test('what a card says', () => {
    const card = (items) => cardOf(chat, {extra: {items}});
    assert.deepEqual(card([item('ben', 'hi'), item('ann', null, {message_type: 'image'}), item('ben', 'x\u202ey')]), {title: 'Messages of Ben and you', count: 3,
        lines: [{name: 'Ben', text: 'hi'}, {name: 'You', text: '[Photo]'}, {name: 'Ben', text: 'xy'}]});
    const many = card(Array.from({length: 9}, (_, i) => item(`u${i}`, `${i}`)));
    assert.deepEqual([many.title, many.count, many.lines.length], ['Messages of u0, u1 and 7 others', 9, 4]);
    for (const extra of [null, {}, {items: 7}, {items: [null, 7, {}, {user_id: 1, message_type: 'text'}]}])
        assert.deepEqual([itemsOf({extra}), cardOf(chat, {extra})], [[], {title: 'Forwarded messages', count: 0, lines: []}]);
});
