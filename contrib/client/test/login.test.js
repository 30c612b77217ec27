// SPDX-License-Identifier: BSD-2-Clause
// Proves that a login renews itself in time, once for all who ask, in one tab and in several, with a wrong clock and with
// answers that are lost; and that it ends when the server says so, with the reason, and for nothing else. Against a
// simulated server whose spent tokens behave as the real one's.
import assert from 'node:assert/strict';
import {afterEach, beforeEach, test} from 'node:test';
import {LoginStore, TidingsClient, loginOf} from '../src/index.js';
import {withFastClock} from './clock.js';
import {WebSocket as PlainWebSocket, until} from './kit.js';
import {Memory} from './memory.js';

const GRACE_MS = 30000;
const LIFETIME_S = 3600;
const real = {fetch: globalThis.fetch, now: Date.now, navigator: Object.getOwnPropertyDescriptor(globalThis, 'navigator')};
let ahead = 0; // of the device's clock
let server;

const base64url = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');

class Server {
    now = 1.7e12; // its own clock
    number = 0;
    refreshes = 0;
    requests = [];
    logins = new Map(); // id -> {user, valid, before, spentAt, token, ended}
    refreshLifetimeMs = 2592000000;
    trouble = null; // what a refresh meets: 'lost' or 'silent', its answer; 'slow', it is late; 'away', or a problem {status, code}
    troubleEnd = Infinity;

    pass(ms) {
        this.now += ms;
        ahead += ms;
    }

    begin(user) {
        const id = String(++this.number);
        this.logins.set(id, {user, valid: `r${id}.0`, before: null, ended: null});
        return this.pair(id);
    }

    pair(id) {
        const login = this.logins.get(id);
        const iat = Math.floor(this.now / 1000);
        login.token = ['e30', base64url({sub: login.user, sid: id, iat, exp: iat + LIFETIME_S, n: ++this.number}), 'sig'].join('.');
        login.tokenEnd = (iat + LIFETIME_S) * 1000;
        return {user: {user_id: login.user}, token: login.token, expires_at: new Date(login.tokenEnd).toISOString(), login_id: id,
            refresh_token: login.valid, refresh_expires_at: new Date(this.now + this.refreshLifetimeMs).toISOString()};
    }

    refresh(token) {
        this.refreshes++;
        const login = this.logins.get(token.slice(1).split('.')[0]);
        if (!login)
            return [401, {code: 'token_invalid'}];
        const id = token.slice(1).split('.')[0];
        if (login.ended)
            return [401, {code: 'token_revoked'}];
        if (token !== login.valid && (token !== login.before || this.now - login.spentAt > GRACE_MS)) {
            login.ended = 'token_reused';
            return [401, {code: 'token_revoked'}];
        }
        if (token === login.valid) {
            login.before = token;
            login.spentAt = this.now;
            login.valid = `r${id}.${Number(token.split('.')[1]) + 1}`;
        }
        return [200, this.pair(id)];
    }

    // The body of a token tells all that is needed.
    tokenProblem(token) {
        const {sid, exp} = JSON.parse(Buffer.from(token.split('.')[1], 'base64url'));
        if (exp * 1000 <= this.now)
            return 'token_expired';
        return this.logins.get(sid).ended ? 'token_revoked' : null;
    }

    answer(method, path, headers, body) {
        if (path === '/users/login')
            return [200, this.begin(body.user_id)];
        if (path === '/users/refresh')
            return this.refresh(body.refresh_token);
        const token = headers.Authorization.slice('Bearer '.length);
        const code = this.tokenProblem(token);
        if (code !== null)
            return [401, {code}];
        if (path === '/users/logout')
            this.logins.get(JSON.parse(Buffer.from(token.split('.')[1], 'base64url')).sid).ended = 'logged_out';
        return path === '/users/logout' ? [204] : [200, {unread_count: 0, mention_count: 0}];
    }

    async fetch(address, {method, headers, body, signal}) {
        const {pathname} = new URL(address);
        const trouble = pathname === '/users/refresh' && this.now < this.troubleEnd ? this.trouble : null;
        this.requests.push(`${method} ${pathname}`);
        if (trouble === 'away')
            throw new TypeError('fetch failed');
        const [status, answer] = trouble?.status ? [trouble.status, trouble] : this.answer(method, pathname, headers, body && JSON.parse(body));
        await new Promise(setImmediate);
        if (trouble === 'lost')
            throw new TypeError('fetch failed');
        if (trouble === 'silent' || trouble === 'slow') {
            await new Promise((resolve, reject) => {
                signal.addEventListener('abort', () => reject(signal.reason));
                if (trouble === 'slow')
                    setTimeout(resolve, 8000);
            });
        }
        return new Response(answer === undefined ? null : JSON.stringify(answer), {status, headers: answer?.retryAfter ? {'Retry-After': answer.retryAfter} : {}});
    }
}

const clients = [];

// A client of a tab; the tabs of one browser share the storage, or have copies of their own.
function tab(storage, key = `login-${server.number}`) {
    const client = new TidingsClient({url: 'http://server', WebSocket: PlainWebSocket, loginStore: new LoginStore(storage, key)});
    client.ends = [];
    client.on('ended', ({reason}) => client.ends.push(reason));
    clients.push(client);
    return client;
}

// A browser in which alice is logged in.
async function loggedIn() {
    const storage = new Memory();
    const client = tab(storage, 'login');
    await client.login({user_id: 'alice', password: 'correct horse', device: 'Test'});
    return {storage, client};
}

beforeEach(() => {
    server = new Server();
    ahead = 1e9; // the device's clock is wrong by days
    globalThis.fetch = (...given) => server.fetch(...given);
    Date.now = () => 1.6e12 + ahead;
});

afterEach(async () => {
    await Promise.all(clients.splice(0).map((client) => client.close()));
    globalThis.fetch = real.fetch;
    Date.now = real.now;
    if (real.navigator)
        Object.defineProperty(globalThis, 'navigator', real.navigator);
    else
        delete globalThis.navigator;
});

test('a token is renewed shortly before its end, once for all who ask', async () => {
    const {storage, client} = await loggedIn();
    server.pass((LIFETIME_S - 400) * 1000);
    await client.rest.unreadCount();
    assert.equal(server.refreshes, 0, 'not earlier');
    server.pass(200000);
    const other = tab(storage, 'login');
    await Promise.all([client, other, client, other].map((c) => c.rest.unreadCount()));
    assert.equal(server.refreshes, 1);
    server.pass((LIFETIME_S - 200) * 1000);
    await other.rest.unreadCount();
    await client.rest.unreadCount();
    assert.equal(server.refreshes, 2, 'what one has renewed the other takes');
    assert.equal(JSON.parse(storage.getItem('login')).refresh_token, 'r1.2');
});

test('the clock of the device may say what it likes', async () => {
    const {client} = await loggedIn();
    for (const wrong of [-3e11, 3e11, -1e8]) {
        ahead += wrong;
        server.now += (LIFETIME_S + 10) * 1000; // unseen by a clock that was set
        await client.rest.unreadCount();
    }
    assert.deepEqual(client.ends, []);
});

test('a token that the server calls expired is renewed once, and the request repeated', async () => {
    const {client} = await loggedIn();
    server.now += LIFETIME_S * 1000 + 1; // the device slept, and its clock with it
    assert.equal(await client.rest.unreadCount(), 0);
    assert.deepEqual(server.requests.slice(1), ['GET /messages/unread-count', 'POST /users/refresh', 'GET /messages/unread-count']);
});

test('several tabs with Web Locks: one renews, the others take it', async () => {
    let held = Promise.resolve();
    const names = new Set();
    Object.defineProperty(globalThis, 'navigator', {configurable: true, value: {locks: {request: (name, options, act) => {
        names.add(name);
        return held = held.then(act, act);
    }}}});
    const {storage, client} = await loggedIn();
    const tabs = [client, tab(storage, 'login'), tab(storage, 'login')];
    await Promise.all(tabs.map((c) => c.rest.unreadCount()));
    server.pass((LIFETIME_S - 10) * 1000);
    await Promise.all(tabs.map((c) => c.rest.unreadCount()));
    assert.deepEqual([server.refreshes, [...names]], [1, ['tidings:login:1']]);
});

test('a lock that another tab does not give back is not waited for', async () => {
    Object.defineProperty(globalThis, 'navigator', {configurable: true, value: {locks: {request: (name, {signal}) =>
        new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))}}});
    const plain = globalThis.setTimeout;
    globalThis.setTimeout = (callback, ms) => plain(callback, ms === 10000 ? 0 : ms);
    try {
        const {client} = await loggedIn();
        server.pass((LIFETIME_S - 10) * 1000);
        await client.rest.unreadCount();
        assert.equal(server.refreshes, 1);
    } finally {
        globalThis.setTimeout = plain;
    }
});

test('a duplicated tab with a storage of its own hears of the new token, and of the end', async () => {
    const {storage, client} = await loggedIn();
    const copy = new Memory();
    storage.values.forEach((value, key) => copy.setItem(key, value));
    const twin = tab(copy, 'login');
    await twin.rest.unreadCount();
    server.pass((LIFETIME_S - 10) * 1000);
    await client.rest.unreadCount();
    await until('the copy to be new', () => copy.getItem('login') === storage.getItem('login'));
    server.pass(GRACE_MS + 1);
    await twin.rest.unreadCount();
    assert.equal(server.refreshes, 1);
    await client.logout();
    await until('the twin to know', () => twin.ends.length > 0);
    assert.deepEqual([client.ends, twin.ends, storage.values.size, copy.values.size], [['logged_out'], ['logged_out'], 0, 0]);
    await assert.rejects(twin.rest.unreadCount(), {code: 'token_revoked', transient: false});
});

test('a duplicated tab that was asleep asks the others before it sends a refresh token', async () => {
    const {storage, client} = await loggedIn();
    const copy = new Memory();
    storage.values.forEach((value, key) => copy.setItem(key, value));
    for (let n = 0; n < 2; n++) {
        server.pass((LIFETIME_S - 10) * 1000);
        await client.rest.unreadCount();
    }
    const twin = tab(copy, 'login');
    await twin.rest.unreadCount();
    assert.equal(server.refreshes, 2);
    assert.deepEqual(JSON.parse(copy.getItem('login')), JSON.parse(storage.getItem('login')));
    server.pass((LIFETIME_S - 10) * 1000);
    await twin.rest.unreadCount();
    await client.rest.unreadCount();
    assert.deepEqual([server.refreshes, client.ends, twin.ends], [3, [], []]);
});

test('a renewal is taken from another tab although its refresh token ends earlier than the one before', async () => {
    const {storage, client} = await loggedIn();
    const copy = new Memory();
    const {renewals, ...ofAnEarlierVersion} = JSON.parse(storage.getItem('login'));
    copy.setItem('login', JSON.stringify(ofAnEarlierVersion));
    const [other, twin] = [tab(storage, 'login'), tab(copy, 'login')];
    await Promise.all([client, other, twin].map((c) => c.rest.unreadCount()));
    server.refreshLifetimeMs /= 30; // the operator has lowered it
    for (let n = 1; n <= 2; n++) {
        server.pass((LIFETIME_S - 10) * 1000);
        await client.rest.unreadCount();
        await until('the copy to be new', () => copy.getItem('login') === storage.getItem('login'));
        server.pass(GRACE_MS + 1);
        await Promise.all([other, twin].map((c) => c.rest.unreadCount()));
        assert.deepEqual([server.refreshes, other.ends, twin.ends], [n, [], []]);
    }
});

// What a browser does where tabs are of several processes: each has a copy of localStorage, in which what others did comes late.
class Copies {
    kept = null;
    listeners = new Set();

    get view() {
        let seen = this.kept, isLate = false;
        const change = (newValue) => {
            const event = {key: 'login', oldValue: this.kept, newValue};
            this.kept = seen = newValue;
            this.listeners.forEach((listener) => listener(event));
        };
        return {getItem: () => (isLate ? seen : this.kept), setItem: (key, value) => change(value), removeItem: () => change(null), sleep: () => {
            seen = this.kept;
            isLate = true;
        }};
    }
}

test('a tab that removes its login late does not take away the next one', async () => {
    const browser = new Copies();
    globalThis.addEventListener = (type, listener) => type === 'storage' && browser.listeners.add(listener);
    globalThis.removeEventListener = (type, listener) => browser.listeners.delete(listener);
    try {
        const [view, other] = [browser.view, browser.view];
        const before = tab(view, 'login');
        await before.login({user_id: 'bob', password: 'correct horse'});
        view.sleep();
        const next = tab(other, 'login');
        await next.login({user_id: 'alice', password: 'correct horse'});
        await before.forgetLogin();
        assert.equal(browser.kept, null, 'it has taken it away');
        await until('it to be back', () => browser.kept !== null);
        assert.equal(JSON.parse(browser.kept).user_id, 'alice');
        await next.rest.unreadCount();
        assert.deepEqual([before.ends, next.ends], [['logged_out'], []]);
        const third = tab(browser.view, 'login');
        await third.rest.unreadCount();
        await next.forgetLogin();
        await until('the others to know', () => third.ends.length > 0);
        await new Promise((resolve) => setTimeout(resolve, 300));
        assert.deepEqual([browser.kept, third.ends], [null, ['logged_out']], 'one that has ended does not come back');
    } finally {
        await Promise.all(clients.splice(0).map((client) => client.close()));
        delete globalThis.addEventListener;
        delete globalThis.removeEventListener;
    }
});

const fast = (body) => () => withFastClock((ms) => server.pass(ms), body);

test('what fails on the way ends no login', fast(async () => {
    const {client} = await loggedIn();
    server.pass((LIFETIME_S - 300) * 1000);
    for (const trouble of ['away', {status: 503, code: 'unavailable'}, {status: 429, code: 'rate_limited'}, {status: 403, page: 'of a proxy'}]) {
        server.trouble = trouble;
        await client.rest.unreadCount(); // it is good for some minutes
    }
    server.pass(300000);
    for (const trouble of ['away', {status: 502}, {status: 403, page: 'of a proxy'}]) {
        server.trouble = trouble;
        await assert.rejects(client.rest.unreadCount(), {transient: true});
    }
    server.trouble = null;
    await client.rest.unreadCount();
    assert.deepEqual(client.ends, []);
}));

// Asks until it is answered. What fails in between may be tried again.
async function unreadInTheEnd(client) {
    for (;;) {
        try {
            return await client.rest.unreadCount();
        } catch (problem) {
            assert.ok(problem.transient, problem.message);
            await new Promise((resolve) => setTimeout(resolve, 500));
        }
    }
}

for (const trouble of ['lost', 'silent']) {
    for (const [what, before, waitsMs] of [['while the token is good', 200000, 2000], ['when the token is over', -1, 25000]]) {
        test(`an answer that is ${trouble} for 20 s, ${what}: it is asked for again in time`, fast(async () => {
            const {client} = await loggedIn();
            server.pass(LIFETIME_S * 1000 - before);
            Object.assign(server, {trouble, troubleEnd: server.now + 20000});
            const begun = server.now;
            await unreadInTheEnd(client);
            assert.ok(server.now - begun <= waitsMs, `${server.now - begun} ms`);
            await new Promise((resolve) => setTimeout(resolve, 40000));
            await client.rest.unreadCount();
            assert.deepEqual([client.ends, server.logins.get('1').ended], [[], null]);
        }));
    }
}

test('a server that never answers is given up, and one that is slow is not', fast(async () => {
    const {client} = await loggedIn();
    server.pass(LIFETIME_S * 1000 + 1);
    server.trouble = 'silent';
    const begun = server.now;
    await assert.rejects(client.rest.unreadCount(), {code: 'timeout', transient: true});
    assert.ok(server.now - begun < 6000, 'who waits is told soon');
    await assert.rejects(client.refresh(), {code: 'timeout'});
    await new Promise((resolve) => setTimeout(resolve, 120000));
    const {refreshes} = server;
    assert.ok(refreshes >= 4 && refreshes <= 8, String(refreshes));
    await new Promise((resolve) => setTimeout(resolve, 120000));
    assert.equal(server.refreshes, refreshes, 'and the tries have an end');
    const slow = tab(new Memory(), 'login');
    await slow.login({user_id: 'alice', password: 'correct horse'});
    server.pass(LIFETIME_S * 1000 + 1);
    server.trouble = 'slow';
    await unreadInTheEnd(slow);
    assert.deepEqual(slow.ends, []);
}));

test('a server that asks for patience is not asked again before', fast(async () => {
    const {client} = await loggedIn();
    server.pass(LIFETIME_S * 1000 + 1);
    server.trouble = {status: 429, code: 'rate_limited', retryAfter: 60};
    await assert.rejects(client.refresh(), {code: 'rate_limited'});
    assert.equal(server.requests.filter((r) => r.endsWith('/refresh')).length, 1);
    server.trouble = {...server.trouble, retryAfter: 20};
    server.troubleEnd = server.now + 20000;
    await assert.rejects(client.refresh(), {code: 'rate_limited'});
    await new Promise((resolve) => setTimeout(resolve, 25000));
    assert.deepEqual([server.refreshes, client.ends], [1, []]);
}));

for (const [what, spoil, reason] of [
    ['revoked', (login) => Object.assign(login, {ended: 'revoked'}), 'revoked'],
    ['unknown to the server', () => server.logins.clear(), 'expired'],
]) {
    test(`a login that is ${what} ends, once, and is forgotten`, async () => {
        const {storage, client} = await loggedIn();
        server.pass((LIFETIME_S - 10) * 1000);
        spoil(server.logins.get('1'));
        const asked = await Promise.allSettled([client.rest.unreadCount(), client.rest.unreadCount()]);
        assert.deepEqual(asked.map(({reason: p}) => p.aboutToken), [true, true]);
        assert.deepEqual(client.ends, [reason]);
        assert.equal(storage.getItem('login'), null);
        assert.equal(server.refreshes, 1);
        await client.login({user_id: 'alice', password: 'correct horse'});
        await client.rest.unreadCount();
    });
}

test('a refused access token asks what became of the login', async () => {
    const {client} = await loggedIn();
    server.logins.get('1').ended = 'revoked';
    await assert.rejects(client.rest.unreadCount(), {code: 'token_revoked'});
    assert.deepEqual(client.ends, ['revoked']);
});

test('another login in the same storage: of the same user it is taken, of another left alone', async () => {
    const {storage, client} = await loggedIn();
    const key = 'login';
    const second = loginOf(server.begin('alice'));
    storage.setItem(key, JSON.stringify(second));
    server.pass((LIFETIME_S - 10) * 1000);
    await client.rest.unreadCount();
    assert.equal(JSON.parse(storage.getItem(key)).login_id, second.login_id);
    const bobs = JSON.stringify(loginOf(server.begin('bob')));
    storage.setItem(key, bobs);
    server.pass((LIFETIME_S - 10) * 1000);
    await client.rest.unreadCount();
    assert.equal(storage.getItem(key), bobs);
    await client.logout();
    assert.equal(storage.getItem(key), bobs, 'nor does it go with this one');
});

test('a storage that was emptied ends the login here', async () => {
    const {storage, client} = await loggedIn();
    await client.rest.unreadCount();
    storage.values.clear();
    server.pass((LIFETIME_S - 10) * 1000);
    await assert.rejects(client.rest.unreadCount(), {code: 'token_revoked'});
    assert.deepEqual([client.ends, server.refreshes], [['logged_out'], 0]);
});

test('logging out: the server is told, or it rejects and the login stays', async () => {
    const {storage, client} = await loggedIn();
    globalThis.fetch = () => Promise.reject(new TypeError('fetch failed'));
    await assert.rejects(client.logout(), {code: 'disconnected'});
    assert.notEqual(storage.getItem('login'), null);
    await client.forgetLogin();
    assert.deepEqual([storage.getItem('login'), client.ends], [null, ['logged_out']]);
});

test('a token without a login, and an account of a server without refresh tokens, end when they are refused', async () => {
    const storage = new Memory();
    storage.setItem('plain', JSON.stringify({token: server.begin('alice').token, user_id: 'alice'}));
    const client = tab(storage, 'plain');
    await client.rest.unreadCount();
    server.pass((LIFETIME_S + 1) * 1000);
    await assert.rejects(client.rest.unreadCount(), {aboutToken: true});
    assert.deepEqual([client.ends, server.refreshes, storage.getItem('plain')], [['expired'], 0, null]);
});

// A WebSocket on which the test speaks for the server.
class FakeSocket {
    static all = [];

    constructor(url, protocols) {
        this.token = protocols[1].slice('bearer.'.length);
        FakeSocket.all.push(this);
        queueMicrotask(() => this.say({type: 'hello', user_id: 'alice', session_id: 's', server_time: new Date(server.now).toISOString(), heartbeat_ms: 30000}));
    }

    say(frame) {
        this.onmessage({data: JSON.stringify(frame)});
    }

    send() {}
    close() {}
}

async function connected() {
    FakeSocket.all = [];
    const storage = new Memory();
    storage.setItem('login', JSON.stringify(loginOf(server.begin('alice'))));
    const client = new TidingsClient({url: 'http://server', WebSocket: FakeSocket, loginStore: new LoginStore(storage, 'login'), backoff: {baseMs: 1}});
    client.ends = [];
    client.on('ended', ({reason}) => client.ends.push(reason));
    clients.push(client);
    client.connect();
    await until('online', () => client.online);
    return {storage, client, socket: FakeSocket.all[0]};
}

test('a WebSocket whose token ran out comes back with another', async () => {
    const {client, socket} = await connected();
    server.pass(LIFETIME_S * 1000);
    socket.onclose({code: 4002, reason: 'token expired'});
    await until('online again', () => FakeSocket.all.length === 2 && client.online);
    assert.notEqual(FakeSocket.all[1].token, socket.token);
    assert.deepEqual([server.refreshes, client.ends], [1, []]);
});

for (const reason of ['logged_out', 'token_reused', 'password_changed', 'too_many_logins', 'revoked', 'disabled', 'erased']) {
    test(`kicked because of ${reason}: the login is over`, async () => {
        const {storage, client, socket} = await connected();
        socket.say({type: 'kicked', reason, by_session: null});
        socket.onclose({code: 4001, reason});
        await until('unauthorized', () => client.state === 'unauthorized');
        assert.deepEqual([client.ends, storage.getItem('login'), server.refreshes], [[reason], null, 0]);
    });
}

test('what was a login before ends, and the one in use does not: the WebSocket comes back with that', async () => {
    const {storage, client, socket} = await connected();
    const second = server.begin('alice'); // in another tab
    storage.setItem('login', JSON.stringify(loginOf(second)));
    server.pass((LIFETIME_S - 10) * 1000);
    await client.rest.unreadCount();
    socket.say({type: 'kicked', reason: 'logged_out', by_session: null});
    await until('online again', () => FakeSocket.all.length === 2 && client.online);
    socket.onclose({code: 4001, reason: 'logged_out'});
    assert.equal(JSON.parse(storage.getItem('login')).login_id, second.login_id);
    await client.login({user_id: 'alice', password: 'correct horse'});
    await until('online again', () => FakeSocket.all.length === 3 && client.online);
    const kept = JSON.parse(storage.getItem('login'));
    assert.deepEqual([FakeSocket.all[2].token, client.ends], [kept.token, []]);
    FakeSocket.all[2].say({type: 'kicked', reason: 'logged_out', by_session: null});
    await until('the end', () => client.ends.length > 0);
});

test('a login that begins while what is kept is still being read stays', async () => {
    const {storage} = await loggedIn();
    const answers = [];
    const slow = {setItem: (...given) => storage.setItem(...given), getItem: (key) => new Promise((resolve) => {
        const value = storage.getItem(key);
        answers.push(() => resolve(value));
    })};
    storage.setItem('slow', JSON.stringify(loginOf(server.begin('alice'))));
    const client = tab(slow, 'slow');
    const asked = client.rest.unreadCount();
    await until('the question', () => answers.length > 0);
    const {token} = await client.login({user_id: 'alice', password: 'correct horse'});
    answers[0]();
    await asked;
    await client.rest.logout();
    assert.deepEqual([...server.logins.values()].map(({ended}) => ended), [null, null, 'logged_out']);
    assert.equal(JSON.parse(storage.getItem('slow')).token, token);
});

test('replaced by a newer session: the login stays', async () => {
    const {storage, client, socket} = await connected();
    socket.say({type: 'kicked', reason: 'replaced', by_session: 'x'});
    socket.onclose({code: 4001, reason: 'replaced'});
    assert.equal(client.state, 'replaced');
    assert.deepEqual(client.ends, []);
    assert.notEqual(storage.getItem('login'), null);
});

test('a plain token, kicked for good: the client says why and stays away until it is given another', async () => {
    FakeSocket.all = [];
    const client = new TidingsClient({url: 'http://server', WebSocket: FakeSocket, token: 'one'});
    const ends = [];
    client.on('ended', ({reason}) => ends.push(reason));
    clients.push(client);
    client.connect();
    await until('online', () => client.online);
    FakeSocket.all[0].say({type: 'kicked', reason: 'disabled', by_session: null});
    FakeSocket.all[0].onclose({code: 4001, reason: 'disabled'});
    assert.deepEqual([client.state, ends], ['unauthorized', ['disabled']]);
    client.setToken('two');
    await until('online', () => client.online);
    assert.equal(FakeSocket.all[1].token, 'two');
});
