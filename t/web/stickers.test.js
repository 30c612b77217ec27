// SPDX-License-Identifier: BSD-2-Clause
// Proves what the page knows of stickers: packs page after page, installing and taking away, those sent last whatever a
// storage holds, and what a message shows, also one from outside that is not as it should be.
import assert from 'node:assert/strict';
import {test} from 'node:test';

const {SafeStorage} = await import(`${process.env.TIDINGS_WEB}/js/storage.js`);
const {Stickers, recentFrom} = await import(`${process.env.TIDINGS_WEB}/js/stickers.js`);

const pack = (id, ...stickers) => ({id, title: id, installed: false, stickers: stickers.map((s) => ({id: s, emoji: `(${s})`, media_url: `/stickers/pictures/${id}/${s}.png`, width: 4, height: 4}))});

function setting(installed = [], failing = null) {
    const called = [];
    const rest = {
        async *each(list) {
            yield* (await list({})).items;
        },
        installedStickerPacks: async () => ({items: installed, next_cursor: null}),
        installStickerPack: async (id) => {
            called.push(`+${id}`);
            if (failing)
                throw failing;
        },
        uninstallStickerPack: async (id) => called.push(`-${id}`),
        mediaUrl: (url) => new URL(url, 'https://chat.example.org/im').href,
    };
    let changes = 0;
    const storage = new SafeStorage(() => {
        throw new Error('SecurityError');
    });
    return {stickers: new Stickers(rest, storage, 'ann', () => changes++), rest, storage, called, changes: () => changes};
}

test('installing and taking away', async () => {
    const {stickers, called, changes} = setting([pack('a', 'x'), pack('b', 'y')]);
    await Promise.all([stickers.load(), stickers.load()]);
    assert.deepEqual([stickers.installed.map(({id}) => id), stickers.loaded, changes()], [['a', 'b'], true, 1]);
    await stickers.install(pack('c', 'z'));
    await stickers.install(pack('b', 'y'));
    await stickers.uninstall(pack('a', 'x'));
    assert.deepEqual([stickers.installed.map(({id}) => id), called, stickers.isInstalled('b'), stickers.isInstalled('a')], [['b', 'c'], ['+c', '+b', '-a'], true, false]);
    const full = setting([], new Error('conflict'));
    await assert.rejects(full.stickers.install(pack('a')));
    assert.deepEqual([full.stickers.installed, full.changes()], [[], 0]);
});

test('what a message shows', async () => {
    const {stickers} = setting([pack('a', 'x')]);
    await stickers.load();
    const shown = (media_url, extra) => stickers.shownBy({media_url, extra});
    assert.deepEqual(shown('/stickers/pictures/q/1.png', {pack: 'q', sticker: 's', emoji: '😀'}), {pack: 'q', emoji: '😀', url: 'https://chat.example.org/stickers/pictures/q/1.png'});
    assert.deepEqual(shown(null, {pack: 'a', sticker: 'x'}), {pack: 'a', emoji: '(x)', url: 'https://chat.example.org/stickers/pictures/a/x.png'}, 'not stored yet');
    assert.deepEqual(shown(null, {pack: 'a', sticker: 'unknown', emoji: '!'}), {pack: 'a', emoji: '!', url: null});
    for (const extra of [null, {}, {pack: 7, sticker: null, emoji: []}])
        assert.deepEqual(shown('javascript:alert(1)', extra), {pack: null, emoji: '', url: null});
    assert.equal(shown('http://[', {}).url, null);
});

test('those sent last', () => {
    const {stickers, rest, storage} = setting();
    assert.deepEqual(stickers.recent, []);
    const sent = (n) => ({pack: 'a', id: `${n}`, emoji: '!', media_url: `/${n}`, width: 7});
    for (let i = 0; i < 20; i++)
        stickers.noteSent(sent(i));
    stickers.noteSent(sent(10));
    assert.deepEqual(stickers.recent.map(({id}) => id), [10, 19, 18, 17, 16, 15, 14, 13, 12, 11, 9, 8].map(String));
    assert.deepEqual(stickers.recent[0], {pack: 'a', id: '10', emoji: '!', media_url: '/10'});
    assert.deepEqual(new Stickers(rest, storage, 'ben', () => {}).recent, [], 'by another user of the browser');
    for (const bad of [null, 7, {}, [null, 7, {}, {pack: 'a', id: 1, emoji: 'x', media_url: 'y'}]])
        assert.deepEqual(recentFrom(bad), []);
});
