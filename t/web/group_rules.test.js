// SPDX-License-Identifier: BSD-2-Clause
// Proves what the chat page offers in a group, by role and settings, and why and until when one cannot write there.
import assert from 'node:assert/strict';
import {test} from 'node:test';

const {mayAdd, mayEdit, mayMentionAll, mayRecallOthers, memberActions, silence} = await import(`${process.env.TIDINGS_WEB}/js/group_rules.js`);

const NOW = Date.parse('2026-11-29T12:00:00.000Z');
const LATER = '2026-11-29T13:00:00.000Z', EARLIER = '2026-11-29T11:59:50.000Z';

function group(role, fields = {}, settings = {}) {
    return {role, member_count: 30, dissolved_at: null, ...fields,
        settings: {join: 'invite', history: 'all', send: 'all', add: 'all', slow_mode_seconds: 0, ...settings}};
}

const member = (role, muted_until = null) => ({role, muted_until});

test('what members may', () => {
    assert.deepEqual(['member', 'admin', 'owner'].map((role) => mayEdit(group(role))), [false, true, true]);
    assert.deepEqual(['member', 'admin', 'owner'].map((role) => mayAdd(group(role, {}, {add: 'admins'}))), [false, true, true]);
    assert.ok(mayAdd(group('member')));
    assert.deepEqual([mayMentionAll(group('member')), mayMentionAll(group('member', {member_count: 20})), mayMentionAll(group('admin'))], [false, true, true]);
    assert.deepEqual([mayEdit, mayAdd, mayRecallOthers].map((may) => may(group('owner', {dissolved_at: EARLIER}))), [false, false, false]);
    assert.deepEqual([['member', 'member'], ['admin', 'member'], ['admin', 'admin'], ['admin', 'owner'], ['admin', undefined], ['owner', 'admin']]
        .map(([role, sender]) => mayRecallOthers(group(role), sender)), [false, true, false, false, true, true]);
});

test('what may be done about whom', () => {
    const actions = (role, ...of) => memberActions(group(role), member(...of), NOW);
    assert.deepEqual(actions('member', 'member'), []);
    assert.deepEqual(actions('admin', 'member'), ['mute', 'remove', 'ban']);
    assert.deepEqual(actions('admin', 'member', LATER), ['unmute', 'remove', 'ban']);
    assert.deepEqual(actions('admin', 'member', EARLIER), ['mute', 'remove', 'ban']);
    assert.deepEqual(actions('admin', 'admin'), []);
    assert.deepEqual(actions('admin', 'owner'), []);
    assert.deepEqual(actions('owner', 'member'), ['makeAdmin', 'passOn', 'mute', 'remove', 'ban']);
    assert.deepEqual(actions('owner', 'admin'), ['unmakeAdmin', 'passOn', 'mute', 'remove', 'ban']);
    assert.deepEqual(memberActions(group('owner', {dissolved_at: EARLIER}), member('member'), NOW), []);
});

test('why one cannot write', () => {
    const why = (g, own = null, last = null) => silence(g, own, last, NOW);
    assert.equal(why(group('member')), null);
    assert.deepEqual(why(group('owner', {dissolved_at: EARLIER})), {why: 'dissolved', until: null});
    assert.deepEqual(why(group('member', {}, {send: 'admins'}), member('member', LATER)), {why: 'muted', until: Date.parse(LATER)}, 'muted comes first');
    assert.equal(why(group('member'), member('member', EARLIER)), null);
    assert.deepEqual(why(group('member', {}, {send: 'admins'})), {why: 'restricted', until: null});
    assert.equal(why(group('admin', {}, {send: 'admins', slow_mode_seconds: 60}), member('admin', LATER), EARLIER), null, 'admins are exempt');
    assert.deepEqual(why(group('member', {}, {slow_mode_seconds: 30}), null, EARLIER), {why: 'slow', until: NOW + 20000});
    assert.equal(why(group('member', {}, {slow_mode_seconds: 10}), null, EARLIER), null);
    assert.equal(why(group('member', {}, {slow_mode_seconds: 10})), null, 'who has not written yet');
});
