// SPDX-License-Identifier: BSD-2-Clause
// The demo chat: signs in with a token, lists conversations, shows one. Ties the connection (client.js), what is
// known (store.js) and the page (timeline.js, dom.js) together.
//
// Address: #token=JWT, and &prefix=/PATH where the API is not mounted beside this page.

import {ApiError, Client, randomId} from './client.js';
import {button, byId, displayName, element, paintAvatar, summary, whenShort} from './dom.js';
import {Store} from './store.js';
import {Timeline} from './timeline.js';

const PAGE = 50;
const TYPING_EVERY_MS = 3000;
const TYPING_SHOWN_MS = 4500;
const RETRY_MS = 2000;
const RECALL_WINDOW_MS = 120000; // message.recall_window's default; the server has the last word

const store = new Store();
let client = null;
let current = null; // the open conversation
let started = false; // the list was loaded once
let catching = false; // a catch-up is under way; events wait in held
let catchAgain = false;
let held = [];
let clockAhead = 0; // of the server, ms
let typingSentAt = 0;
let loadingOlder = false;
let listCursor = null;

const timeline = new Timeline(byId('timeline'), {
    recall, remove, older, seen: markRead,
    retry: (p) => transmit(current, p),
    canRecall: (m) => !m.is_recalled && Date.now() + clockAhead - Date.parse(m.created_at) < RECALL_WINDOW_MS,
});

// ---- signing in ----

function signIn(token, prefix) {
    const folder = new URL('.', location.href).pathname.replace(/\/$/, '');
    client = new Client(prefix ?? folder, token);
    client.addEventListener('state', (e) => showState(e.detail));
    client.addEventListener('hello', (e) => onHello(e.detail));
    client.addEventListener('event', (e) => onEvent(e.detail));
    byId('login').hidden = true;
    byId('chat').hidden = false;
    client.connect();
}

function askForToken(reason) {
    sessionStorage.removeItem('token');
    byId('chat').hidden = true;
    byId('banner').hidden = true;
    byId('login').hidden = false;
    byId('login-reason').textContent = reason;
    byId('login-token').focus();
}

function begin() {
    const hash = new URLSearchParams(location.hash.slice(1));
    if (hash.has('token')) {
        sessionStorage.setItem('token', hash.get('token'));
        // Only a path of this origin: the token goes there.
        if (/^(\/[\w.~-]+)*$/.test(hash.get('prefix') ?? '!'))
            sessionStorage.setItem('prefix', hash.get('prefix'));
        else
            sessionStorage.removeItem('prefix');
        history.replaceState(null, '', location.pathname + location.search);
    }
    const token = sessionStorage.getItem('token');
    if (token)
        signIn(token, sessionStorage.getItem('prefix'));
    else
        askForToken('');
}

// ---- the connection ----

function showState({state, reason, retryInMs}) {
    byId('state').className = `state ${state}`;
    byId('state').title = state;
    const text = {
        waiting: `Not connected. Trying again in ${Math.ceil(retryInMs / 1000)} s.`,
        replaced: `Signed in elsewhere${reason ? `: ${reason}` : ''}.`,
    }[state];
    if (text || state !== 'connecting') {
        byId('banner').hidden = !text;
        byId('banner-text').textContent = text ?? '';
        byId('banner-button').hidden = state !== 'replaced';
    }
    if (state === 'unauthorized')
        askForToken(reason || 'The token is not accepted.');
}

async function onHello(hello) {
    if (store.me !== null && store.me !== hello.user_id) {
        location.reload();
        return;
    }
    store.me = hello.user_id;
    clockAhead = Date.parse(hello.server_time) - Date.now();
    byId('me').textContent = store.me;
    await catchUp();
    if (!started || !client.online)
        return;
    watchPeers();
    for (const c of store.conversations.values())
        for (const p of c.pending)
            if (!p.failed)
                transmit(c, p);
}

// Learns what was missed; the first time, everything. Events that come meanwhile are applied after it.
async function catchUp() {
    if (catching) {
        catchAgain = true;
        return;
    }
    catching = true;
    try {
        do {
            catchAgain = false;
            await (started ? syncOnce() : loadFirst());
        } while (catchAgain);
    } catch (e) {
        if (!(e instanceof ApiError))
            throw e;
        // Without a connection the next hello does it.
        if (client.online)
            setTimeout(catchUp, RETRY_MS);
    } finally {
        catching = false;
        const events = held;
        held = [];
        events.forEach(apply);
    }
    redraw();
    if (current && !current.loaded)
        await loadNewest(current);
}

async function loadFirst() {
    // The cursor first: what comes between it and the list is told twice rather than never.
    const sync = await client.call('POST', '/messages/sync', {conversations: [], since: null});
    await loadList(null);
    store.cursor = sync.cursor;
    started = true;
}

async function syncOnce() {
    let more = true;
    while (more) {
        const answer = await client.call('POST', '/messages/sync',
            {conversations: store.have(), since: store.cursor, limit: PAGE});
        answer.conversations.forEach((item) => store.putSynced(item));
        store.cursor = answer.cursor;
        more = answer.more;
    }
}

async function loadList(cursor) {
    const page = await client.call('GET',
        `/messages/conversations?limit=50${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ''}`);
    page.items.forEach((c) => store.putConversation(c));
    listCursor = page.next_cursor;
}

async function watchPeers() {
    try {
        const peers = store.list().slice(0, 500).map((c) => c.peer.user_id);
        const answer = await client.request('watch', {user_ids: peers});
        answer.users.forEach(putPresence);
        redraw();
    } catch (e) {
        if (!(e instanceof ApiError))
            throw e;
    }
}

function putPresence({user_id: userId, online, last_seen: lastSeen}) {
    for (const c of store.conversations.values())
        if (c.peer.user_id === userId)
            Object.assign(c.peer, {online, lastSeen});
}

// ---- events ----

function onEvent(frame) {
    if (frame.type === 'resync')
        catchUp();
    else if (catching)
        held.push(frame);
    else
        apply(frame);
    redraw();
}

const handlers = {
    message: ({message}) => {
        const known = store.conversations.get(message.conversation_id);
        if (known && message.from_user_id !== store.me)
            known.typingUntil = 0;
        if (store.arrived(message) !== 'ok')
            catchUp();
        if (known === current)
            markRead();
    },
    recalled: (e) => {
        store.recall(e.conversation_id, e.message_id, e.recalled_at);
        putChangeSeq(e);
    },
    read: (e) => {
        if (e.message_ids)
            e.message_ids.forEach((id) => store.markRead(e.conversation_id, id, e.read_at));
        else
            store.readUpTo(e.conversation_id, e.reader_id, e.up_to_seq);
        // How many are left unread is the server's to count.
        if (e.reader_id === store.me)
            catchUp();
    },
    deleted: (e) => {
        store.remove(e.conversation_id, e.message_id);
        catchUp();
    },
    presence: putPresence,
    typing: (e) => {
        const c = store.conversations.get(e.conversation_id);
        if (c && e.user_id !== store.me) {
            c.typingUntil = Date.now() + TYPING_SHOWN_MS;
            setTimeout(redraw, TYPING_SHOWN_MS);
        }
    },
    kicked: () => {},
    reconnect: () => {},
};

function apply(frame) {
    handlers[frame.type]?.(frame);
}

function putChangeSeq({conversation_id: id, change_seq: seq}) {
    const c = store.conversations.get(id);
    // Only the next one: a change that was missed in between has to be asked for.
    if (c && seq === c.changeSeq + 1)
        c.changeSeq = seq;
}

// ---- one conversation ----

async function open(c) {
    current = c;
    byId('chat').classList.add('in-room');
    timeline.clear();
    redraw();
    // Not where that brings up a keyboard over half of the page.
    if (matchMedia('(hover: hover)').matches)
        byId('send-text').focus({preventScroll: true});
    if (!c.loaded)
        await loadNewest(c);
    if (current !== c)
        return;
    timeline.toBottom();
    markRead();
}

const historyPath = (c, query) => `/messages/conversations/${c.id}/messages?limit=${PAGE}${query}`;

async function loadNewest(c) {
    await attempt(async () => {
        const page = await client.call('GET', historyPath(c, ''));
        store.putHistory(c, page);
        c.seq = Math.max(c.seq, page.items.at(-1)?.seq ?? 0);
    });
    redraw();
    if (c === current)
        markRead();
}

async function older() {
    const c = current;
    if (!c?.loaded || !c.hasMore || loadingOlder)
        return;
    const first = store.sorted(c)[0]?.seq;
    if (first === undefined)
        return;
    loadingOlder = true;
    await attempt(async () => store.putHistory(c, await client.call('GET', historyPath(c, `&before=${first}`))));
    loadingOlder = false;
    redraw();
}

async function openWith(userId) {
    await attempt(async () => {
        const c = store.putConversation(await client.call('POST', '/messages/conversations/create', {user_id: userId}));
        byId('open-form').reset();
        watchPeers();
        await open(c);
    });
}

async function markRead() {
    const c = current;
    if (!c || !c.loaded || c.unread === 0 || c.marking || !client.online || document.hidden || !timeline.atBottom)
        return;
    c.marking = true;
    try {
        const answer = await client.request('read', {conversation_id: c.id, up_to_seq: c.seq});
        c.readSeq = Math.max(c.readSeq, answer.read_seq);
        c.unread = answer.unread_count;
    } catch (e) {
        if (!(e instanceof ApiError))
            throw e;
    } finally {
        c.marking = false;
    }
    redraw();
    if (c.seq > c.readSeq)
        markRead();
}

function send(content) {
    const p = {client_msg_id: randomId(), to_user_id: current.peer.user_id, message_type: 'text', content};
    current.pending.push(p);
    typingSentAt = 0;
    redraw();
    timeline.toBottom();
    transmit(current, p);
}

// Until it is acknowledged or refused; what the connection swallows goes out again with the next one.
async function transmit(c, p) {
    const {failed, ...body} = p;
    delete p.failed;
    try {
        const {message} = await client.request('send', body);
        c.pending = c.pending.filter((other) => other !== p);
        if (store.arrived(message) === 'gap')
            setTimeout(() => c.seq < message.seq && catchUp(), 1000);
    } catch (e) {
        if (!(e instanceof ApiError))
            throw e;
        if (!e.passing)
            p.failed = e.message;
        else if (e.code !== 'disconnected')
            setTimeout(() => c.pending.includes(p) && transmit(c, p), RETRY_MS);
    }
    redraw();
}

async function recall(m) {
    await attempt(async () => store.putMessage((await client.request('recall', {message_id: m.id})).message));
    redraw();
}

async function remove(m) {
    await attempt(async () => {
        await client.request('delete', {message_id: m.id});
        store.remove(m.conversation_id, m.id);
    });
    redraw();
}

// Runs what the user asked for, and says so if it failed.
async function attempt(work) {
    try {
        await work();
    } catch (e) {
        if (!(e instanceof ApiError))
            throw e;
        toast(e.message);
    }
}

let toastTimer = null;
function toast(text) {
    byId('toast').textContent = text;
    byId('toast').hidden = false;
    clearTimeout(toastTimer);
    toastTimer = setTimeout(() => {
        byId('toast').hidden = true;
    }, 5000);
}

// ---- drawing: once a frame, whatever happened ----

let drawing = false;
function redraw() {
    if (drawing)
        return;
    drawing = true;
    setTimeout(() => {
        drawing = false;
        drawList();
        drawRoom();
    });
}

function peerState(c) {
    if (c.typingUntil > Date.now())
        return 'typing…';
    if (c.peer.online)
        return 'online';
    return c.peer.lastSeen ? `last seen ${whenShort(c.peer.lastSeen)}` : '';
}

function drawList() {
    const rows = store.list().map((c) => {
        const row = element('li');
        const b = button(c === current ? 'conversation open' : 'conversation', '', () => open(c));
        b.dataset.user = c.peer.user_id;
        const avatar = element('span', 'avatar');
        paintAvatar(avatar, c.peer);
        const typing = c.typingUntil > Date.now();
        const middle = element('span', 'grow');
        middle.append(element('strong', 'name', displayName(c.peer)),
            element('span', typing ? 'preview typing' : 'preview', typing ? 'typing…' : c.last ? summary(c.last) : ''));
        const right = element('span', 'right');
        right.append(element('time', '', c.last ? whenShort(c.time) : ''));
        if (c.unread > 0)
            right.append(element('span', 'badge', String(c.unread)));
        b.append(avatar, middle, right);
        row.append(b);
        return row;
    });
    if (listCursor) {
        const row = element('li');
        row.append(button('quiet more', 'More', () => attempt(async () => {
            await loadList(listCursor);
            watchPeers();
            redraw();
        })));
        rows.push(row);
    }
    byId('conversations').replaceChildren(...rows);
    const unread = store.list().reduce((sum, c) => sum + c.unread, 0);
    document.title = unread > 0 ? `(${unread}) Tidings` : 'Tidings';
}

function drawRoom() {
    byId('chat').classList.toggle('has-room', current !== null);
    if (!current)
        return;
    byId('peer-name').textContent = displayName(current.peer);
    byId('peer-state').textContent = peerState(current);
    paintAvatar(byId('peer-avatar'), current.peer);
    if (current.loaded)
        timeline.show(store.sorted(current), current.pending, store.me, current.peerReadSeq);
}

// ---- what the user does ----

byId('login-form').addEventListener('submit', (e) => {
    e.preventDefault();
    sessionStorage.setItem('token', byId('login-token').value.trim());
    location.reload();
});

byId('logout').addEventListener('click', () => {
    client.stop();
    sessionStorage.clear();
    location.reload();
});

byId('open-form').addEventListener('submit', (e) => {
    e.preventDefault();
    openWith(byId('open-user').value.trim());
});

byId('back').addEventListener('click', () => {
    current = null;
    byId('chat').classList.remove('in-room');
    redraw();
});

const input = byId('send-text');
byId('send-form').addEventListener('submit', (e) => {
    e.preventDefault();
    if (input.value.trim() === '' || !current)
        return;
    send(input.value);
    input.value = '';
    input.style.height = '';
    input.focus();
});

input.addEventListener('keydown', (e) => {
    if (e.key === 'Enter' && !e.shiftKey && !e.isComposing) {
        e.preventDefault();
        byId('send-form').requestSubmit();
    }
});

input.addEventListener('input', () => {
    input.style.height = 'auto';
    input.style.height = `${Math.min(input.scrollHeight + 2, 160)}px`;
    if (current && input.value !== '' && Date.now() - typingSentAt > TYPING_EVERY_MS) {
        typingSentAt = Date.now();
        client.hint('typing', {conversation_id: current.id});
    }
});

byId('banner-button').addEventListener('click', () => client.connect());
document.addEventListener('visibilitychange', markRead);
window.addEventListener('online', () => client?.connect());
window.addEventListener('hashchange', begin);
// The recall button goes away with the window.
setInterval(() => current && redraw(), 10000);

begin();
