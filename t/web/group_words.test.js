// SPDX-License-Identifier: BSD-2-Clause
// Proves what the chat page says of groups: every event in both languages, with "you" where it is the reader, lists of
// names, and nothing at all of events that it does not know.
import assert from 'node:assert/strict';
import {cpSync} from 'node:fs';
import {test} from 'node:test';

globalThis.document = {documentElement: {}};
const NAMES = {ann: 'Ann', ben: 'Ben', cat: '小猫', dan: 'Dan', eve: 'Eve'};
const nameOf = (id) => NAMES[id];
const message = (from, event, user_ids) => ({message_type: 'system', from_user_id: from, extra: {event, user_ids}});

// A copy of the modules for each language: what they import is decided when it is loaded.
async function inLanguage(language) {
    Object.defineProperty(globalThis, 'navigator', {value: {languages: [language]}, configurable: true});
    const folder = `${process.env.TIDINGS_WEB}/group-words-${language}`;
    cpSync(`${process.env.TIDINGS_WEB}/js`, folder, {recursive: true});
    return {...await import(`${folder}/system_text.js`), ...await import(`${folder}/name_list.js`)};
}

const EVENTS = [
    // from, event, users; as others read it, in English and Chinese; as the reader `you`
    [['ann', 'created', ['ann']], 'Ann created the group', 'Ann 创建了群聊', {ann: ['You created the group', '您创建了群聊']}],
    [['ann', 'created', ['ann', 'ben', 'cat']], 'Ann created the group with Ben and 小猫', 'Ann 创建了群聊，并邀请了 Ben 和 小猫',
        {ann: ['You created the group with Ben and 小猫', '您创建了群聊，并邀请了 Ben 和 小猫'],
            cat: ['Ann created the group with you and Ben', 'Ann 创建了群聊，并邀请了您和 Ben']}],
    [['ann', 'added', ['ben']], 'Ann added Ben', 'Ann 邀请 Ben 加入了群聊',
        {ann: ['You added Ben', '您邀请 Ben 加入了群聊'], ben: ['Ann added you', 'Ann 邀请您加入了群聊']}],
    [['ann', 'added', ['ben', 'cat', 'dan', 'eve']], 'Ann added Ben, 小猫 and 2 others', 'Ann 邀请 Ben、小猫 等 4 人 加入了群聊',
        {dan: ['Ann added you, Ben and 2 others', 'Ann 邀请您、Ben 等 4 人 加入了群聊']}],
    [['ben', 'joined', ['ben']], 'Ben joined the group', 'Ben 加入了群聊', {ben: ['You joined the group', '您加入了群聊']}],
    [['ann', 'joined', ['ben']], 'Ann let Ben in', 'Ann 同意 Ben 加入群聊', {ben: ['Ann let you in', 'Ann 同意您加入群聊']}],
    [['ben', 'left', ['ben']], 'Ben left the group', 'Ben 退出了群聊', {ben: ['You left the group', '您退出了群聊']}],
    [['ann', 'removed', ['ben']], 'Ann removed Ben', 'Ann 将 Ben 移出了群聊',
        {ann: ['You removed Ben', '您将 Ben 移出了群聊'], ben: ['Ann removed you', 'Ann 将您移出了群聊']}],
    [['ann', 'renamed', []], 'Ann renamed the group', 'Ann 修改了群名称', {ann: ['You renamed the group', '您修改了群名称']}],
    [['ann', 'changed', []], 'Ann changed the group’s profile or settings', 'Ann 修改了群资料或设置',
        {ann: ['You changed the group’s profile or settings', '您修改了群资料或设置']}],
    [['ann', 'role', ['ben']], 'Ann changed the role of Ben', 'Ann 更改了 Ben 的身份',
        {ann: ['You changed the role of Ben', '您更改了 Ben 的身份'], ben: ['Ann changed your role', 'Ann 更改了您的身份']}],
    [['ann', 'owner', ['ben']], 'Ann passed the group on to Ben', 'Ann 将群主转让给 Ben',
        {ann: ['You passed the group on to Ben', '您将群主转让给 Ben'], ben: ['Ann passed the group on to you', 'Ann 将群主转让给您']}],
    [['ann', 'dissolved', []], 'Ann dissolved the group', 'Ann 解散了群聊', {ann: ['You dissolved the group', '您解散了群聊']}],
];

for (const [column, language] of ['en', 'zh'].entries()) {
    test(`${language}: every event`, async () => {
        const {systemText} = await inLanguage(language);
        for (const [what, english, chinese, asYou] of EVENTS) {
            const m = message(...what);
            assert.equal(systemText(m, 'zoe', nameOf), [english, chinese][column]);
            for (const [you, texts] of Object.entries(asYou))
                assert.equal(systemText(m, you, nameOf), texts[column], `${what} for ${you}`);
        }
    });
}

for (const [column, language] of ['en', 'zh'].entries()) {
    test(`${language}: what the operator did`, async () => {
        const {systemText, usersNamed} = await inLanguage(language);
        const added = message('system', 'added', ['dan']);
        assert.equal(systemText(added, 'zoe', nameOf), ['An administrator added Dan', '管理员 邀请 Dan 加入了群聊'][column]);
        assert.equal(systemText(message('system', 'dissolved', []), 'zoe', nameOf), ['An administrator dissolved the group', '管理员 解散了群聊'][column]);
        assert.deepEqual(usersNamed(added), ['dan'], 'which is nobody whose name could be asked for');
    });
}

test('events that it does not know, and such as say nothing, are not shown', async () => {
    const {systemText, usersNamed} = await inLanguage('en');
    for (const m of [message('ann', 'celebrated', ['ben']), message('ann', 'constructor', []), message('ann', 'added', []),
        message('ann', 'left', [7]), message('ann', 'removed', 'ben'), {message_type: 'system', from_user_id: 'ann', extra: null}]) {
        assert.equal(systemText(m, 'ann', nameOf), null);
        assert.deepEqual(usersNamed(m), []);
    }
});

test('what one\'s role has become', async () => {
    for (const [language, admin, member] of [['en', 'You are an admin now', 'You are no longer an admin'], ['zh', '您现在是管理员', '您不再是管理员']]) {
        const {systemText} = await inLanguage(language);
        const role = message('ann', 'role', ['ben']);
        assert.deepEqual([systemText(role, 'ben', nameOf, 'admin'), systemText(role, 'ben', nameOf, 'member')], [admin, member]);
        assert.equal(systemText(role, 'ben', nameOf, 'owner'), systemText(role, 'ben', nameOf), 'which an event cannot make one');
        assert.equal(systemText(role, 'cat', nameOf, 'admin'), systemText(role, 'cat', nameOf), 'another\'s role is not known');
    }
});

test('many names', async () => {
    const {nameList} = await inLanguage('en');
    assert.deepEqual([nameList(['A']), nameList(['A', 'B']), nameList(['A', 'B', 'C']), nameList(['A', 'B'], 3), nameList(['A', 'B', 'C', 'D']),
        nameList(['A', 'B', 'C'], 103), nameList(['A'], 2), nameList(['A'], 5)],
    ['A', 'A and B', 'A, B and C', 'A, B and 1 other', 'A, B and 2 others', 'A, B and 101 others', 'A and 1 other', 'A and 4 others']);
});
