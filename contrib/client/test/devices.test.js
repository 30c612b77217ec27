// SPDX-License-Identifier: BSD-2-Clause
// Proves that a device is told of, listed and removed, and that what a user sets for all of them is kept.
import assert from 'node:assert/strict';
import {createECDH, randomBytes} from 'node:crypto';
import {afterEach, test} from 'node:test';
import {closeAll, friends, needsServer, open} from './kit.js';

afterEach(closeAll);

// What a browser's PushManager.subscribe() gives.
const subscription = () => {
    const ecdh = createECDH('prime256v1');
    const keys = {p256dh: ecdh.generateKeys('base64url'), auth: randomBytes(16).toString('base64url')};
    return {endpoint: 'https://push.example/one', toJSON: () => ({endpoint: 'https://push.example/one', expirationTime: null, keys})};
};

test('devices are told of, listed and removed', needsServer, async () => {
    const [alice] = await friends('alice');
    const {rest} = await open(alice);
    assert.deepEqual(await rest.devices(), {items: []});
    await rest.putDevice('laptop', {platform: 'webpush', subscription: subscription(), locale: 'zh-CN'});
    await rest.putDevice('phone', {platform: 'fcm', token: 'x'.repeat(160), app: 'org.example.chat'});
    const {items} = await rest.devices();
    assert.deepEqual(items.map(({id, platform, app, locale}) => [id, platform, app, locale]).sort(),
        [['laptop', 'webpush', null, 'zh-CN'], ['phone', 'fcm', 'org.example.chat', null]]);
    await rest.deleteDevice('phone');
    await rest.deleteDevice('phone');
    assert.deepEqual((await rest.devices()).items.map(({id}) => id), ['laptop']);
    await assert.rejects(rest.putDevice('phone', {platform: 'apns', token: 'none'}), {code: 'invalid_argument'});
    assert.equal(await rest.vapidKey(), null);
});

test('settings are kept, and null clears them', needsServer, async () => {
    const [alice] = await friends('alice');
    const {rest} = await open(alice);
    const dnd = {from: '22:00', to: '07:00', zone: 'Asia/Shanghai'};
    assert.deepEqual(await rest.settings(), {dnd: null, push_preview: true});
    assert.deepEqual(await rest.changeSettings({dnd}), {dnd, push_preview: true});
    assert.deepEqual(await rest.changeSettings({push_preview: false}), {dnd, push_preview: false});
    assert.deepEqual(await rest.changeSettings({dnd: null, push_preview: null}), {dnd: null, push_preview: true});
    await assert.rejects(rest.changeSettings({dnd: {...dnd, zone: 'Mars/Olympus'}}), {code: 'invalid_argument'});
});
