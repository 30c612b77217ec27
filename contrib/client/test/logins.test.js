// SPDX-License-Identifier: BSD-2-Clause
// Proves that a client stays logged in with the real server: it renews before and after the token's end, alone and beside
// others, keeps messages coming over it, and learns why a login ended, by the WebSocket and without one.
import assert from 'node:assert/strict';
import {afterEach, test} from 'node:test';
import {LoginStore, TidingsClient} from '../src/index.js';
import {WebSocket, ask, closeAll, needsServer, open, told, until, url} from './kit.js';
import {Memory} from './memory.js';

afterEach(closeAll);

const password = 'correct horse';
let users = 0;

// A user who is registered with a client of their own: a browser, with its storage.
async function registered(name) {
    const user_id = `${name}-${++users}-${process.pid}`;
    const storage = new Memory();
    const client = await browser(storage);
    await client.register({user_id, password, nickname: name, device: 'First'});
    return {client, storage, user_id};
}

let browsers = 0; // each a device class of its own: none takes another's place

const browser = (storage) => open(null, {getToken: undefined, loginStore: new LoginStore(storage), connect: false, device: `browser${++browsers}`});

async function loggedIn(user_id, device) {
    const client = await browser(new Memory());
    await client.login({user_id, password, device});
    return client;
}

async function online(client) {
    client.connect();
    await client.ready();
    return client;
}

// A worker that has no session of the user hears of the end of a login a second later.
async function refused(client, code) {
    for (;;) {
        try {
            await client.rest.me();
        } catch (problem) {
            assert.equal(problem.code, code);
            return;
        }
        await new Promise((resolve) => setTimeout(resolve, 20));
    }
}
const ended = (client) => until('the end', () => client.seen.ended[0]?.reason);
const labels = async (client) => (await client.rest.logins()).items.map(({device, current}) => `${device}${current ? ' here' : ''}`);

test('a login outlives its token, over restarts, beside other tabs', needsServer, async () => {
    const {client, storage, user_id} = await registered('alice');
    await online(client);
    const bob = await registered('bob');
    await ask('befriend', user_id, bob.user_id);
    await online(bob.client);
    const first = JSON.parse(storage.getItem('tidings:login')).token;
    await ask('clock', 3700);
    await until('a new token', () => client.online && JSON.parse(storage.getItem('tidings:login')).token !== first);
    await bob.client.send({to: user_id, content: 'still there?'}).done;
    assert.deepEqual(await told(client, 1), ['still there?']);
    const tabs = await Promise.all([browser(storage), browser(storage), browser(storage)]);
    await ask('clock', 3700);
    assert.deepEqual(await Promise.all(tabs.map((tab) => tab.rest.unreadCount())), [1, 1, 1]);
    assert.deepEqual(await labels(tabs[0]), ['First here'], 'one login, however many tabs');
    assert.deepEqual([client, ...tabs].flatMap((c) => c.seen.ended), []);
    for (const answer of ['yes', 'still', 'and talking'])
        await client.send({to: bob.user_id, content: answer}).done;
    assert.deepEqual(await told(bob.client, 4), ['still there?', 'yes', 'still', 'and talking']);
});

test('renewing at once from two places is allowed; an old refresh token later ends the login', needsServer, async () => {
    const {client, storage, user_id} = await registered('alice');
    const copy = new Memory();
    copy.setItem('tidings:login', storage.getItem('tidings:login'));
    await client.refresh();
    const {refresh_token} = JSON.parse(copy.getItem('tidings:login'));
    const again = await client.rest.refresh(refresh_token);
    assert.equal(again.refresh_token, JSON.parse(storage.getItem('tidings:login')).refresh_token, 'the same next one');
    await online(client);
    await ask('clock', 40);
    await assert.rejects(client.rest.refresh(refresh_token), {code: 'token_revoked'});
    assert.equal(await ended(client), 'token_reused');
    assert.equal(client.state, 'unauthorized');
    assert.equal(storage.getItem('tidings:login'), null);
    await client.login({user_id, password});
    await client.ready();
});

test('logged out here, from another device, and everywhere', needsServer, async () => {
    const {client, user_id} = await registered('alice');
    const [second, third, fourth] = [await loggedIn(user_id, 'Second'), await loggedIn(user_id, 'Third'), await loggedIn(user_id, 'Fourth')];
    await Promise.all([client, second, third].map(online));
    assert.deepEqual((await labels(client)).sort(), ['First here', 'Fourth', 'Second', 'Third']);
    await client.logout();
    assert.deepEqual([client.state, client.seen.ended], ['unauthorized', [{reason: 'logged_out'}]]);
    await refused(client, 'token_revoked');
    const {items} = await second.rest.logins();
    await second.rest.endLogin(items.find(({device}) => device === 'Third').id);
    assert.equal(await ended(third), 'logged_out');
    await second.logout({all: true});
    await refused(fourth, 'token_revoked');
    assert.deepEqual(fourth.seen.ended, [{reason: 'revoked'}], 'without a WebSocket the server does not say more');
});

test('a changed password ends the others', needsServer, async () => {
    const {client, user_id} = await registered('alice');
    const other = await online(await loggedIn(user_id, 'Other'));
    await online(client);
    await assert.rejects(client.rest.changePassword({old_password: 'wrong horse', new_password: 'battery staple'}), {code: 'forbidden'});
    await client.rest.changePassword({old_password: password, new_password: 'battery staple'});
    assert.equal(await ended(other), 'password_changed');
    assert.deepEqual([client.online, client.seen.ended], [true, []]);
    await assert.rejects(other.login({user_id, password}), {code: 'credentials_invalid'});
    await other.login({user_id, password: 'battery staple'});
    await other.ready();
});

test('an account is deleted', needsServer, async () => {
    const {client, user_id} = await registered('alice');
    const other = await online(await loggedIn(user_id, 'Other'));
    await assert.rejects(client.deleteAccount('wrong horse'), {code: 'forbidden'});
    assert.deepEqual(client.seen.ended, []);
    await client.deleteAccount(password);
    assert.deepEqual(client.seen.ended, [{reason: 'erased'}]);
    assert.equal(await ended(other), 'erased');
    await assert.rejects(client.login({user_id, password}), {code: 'credentials_invalid'});
});

test('a server that is away ends no login', needsServer, async () => {
    const {client, storage} = await registered('alice');
    await online(client);
    const {token} = JSON.parse(storage.getItem('tidings:login'));
    await ask('stop');
    await until('waiting', () => client.state === 'waiting');
    await assert.rejects(client.refresh(), {transient: true});
    await assert.rejects(client.logout(), {transient: true});
    assert.equal(JSON.parse(storage.getItem('tidings:login')).token, token);
    await ask('start');
    await client.ready();
    await client.refresh();
    assert.deepEqual(client.seen.ended, []);
});

test('a plain token: told why it is of no use any more', needsServer, async () => {
    const {client, user_id} = await registered('alice');
    const plain = new TidingsClient({url, WebSocket, token: await ask('token', user_id)});
    const reasons = [];
    plain.on('ended', ({reason}) => reasons.push(reason));
    plain.connect();
    await plain.ready();
    await assert.rejects(plain.logout(), {code: 'invalid_argument'});
    await client.logout({all: true});
    await until('the end', () => reasons.length > 0);
    assert.deepEqual([reasons, plain.state], [['logged_out'], 'unauthorized']);
    await plain.close();
});
