// SPDX-License-Identifier: BSD-2-Clause
// Proves that stickers can be found, installed and sent, and that their pictures can be loaded.
import assert from 'node:assert/strict';
import {afterEach, test} from 'node:test';
import {Rest} from '../src/rest.js';
import {ask, closeAll, friends, needsServer, open, until} from './kit.js';

afterEach(closeAll);

test('a path on the server is made whole, other addresses stay', () => {
    const rest = new Rest('https://chat.example/im', null);
    assert.equal(rest.mediaUrl('/im/stickers/pictures/tide/x.png'), 'https://chat.example/im/stickers/pictures/tide/x.png');
    assert.equal(rest.mediaUrl('https://cdn.example/cat.jpg'), 'https://cdn.example/cat.jpg');
    assert.equal(rest.mediaUrl(null), null);
});

test('packs are listed, installed, and no longer', needsServer, async () => {
    const [alice] = await friends('alice');
    const {rest} = await open(alice);
    await ask('stickers');
    const pack = await rest.stickerPack('tide');
    assert.deepEqual([pack.id, pack.title, pack.stickers.length, pack.installed], ['tide', 'Tide', 8, false]);
    const all = [];
    for await (const item of rest.each((page) => rest.stickerPacks(page)))
        all.push(item);
    assert.deepEqual(all, [pack]);
    assert.deepEqual(await rest.installedStickerPacks(), {items: [], next_cursor: null});
    await rest.installStickerPack('tide');
    await rest.installStickerPack('tide');
    assert.deepEqual((await rest.installedStickerPacks({limit: 1})).items, [{...pack, installed: true}]);
    await rest.uninstallStickerPack('tide');
    assert.deepEqual((await rest.installedStickerPacks()).items, []);
    await assert.rejects(rest.installStickerPack('none'), {code: 'not_found'});
});

test('a sticker is sent by its name, and shown by its picture', needsServer, async () => {
    const [alice, bob] = await friends('alice', 'bob');
    const [a, b] = await Promise.all([open(alice), open(bob)]);
    await ask('stickers');
    const {stickers} = await a.rest.stickerPack('tide');
    const sent = await a.send({to: bob, type: 'sticker', extra: {pack: 'tide', sticker: 'love'}}).done;
    const love = stickers.find(({id}) => id === 'love');
    assert.deepEqual([sent.message_type, sent.media_url, sent.extra],
        ['sticker', love.media_url, {pack: 'tide', sticker: 'love', emoji: love.emoji}]);
    await until('the sticker', () => b.seen.message.length === 1);
    assert.deepEqual(b.seen.message[0], sent);
    const picture = await fetch(b.rest.mediaUrl(sent.media_url));
    assert.deepEqual([picture.status, picture.headers.get('content-type')], [200, 'image/png']);
    await assert.rejects(a.send({to: bob, type: 'sticker', extra: {pack: 'tide', sticker: 'none'}}).done, {code: 'invalid_argument'});
});
