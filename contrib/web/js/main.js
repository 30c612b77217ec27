// SPDX-License-Identifier: BSD-2-Clause
// Where the page begins: who is logged in, or the way in.
import {TidingsClient, loginOf} from '../../client/src/index.js';
import {
    countUnsent, currentAccount, forgetWritings, keptAccount, loginStoreOf, rememberAccount, storageOf, takeEntranceFromAddress, takeTokenFromAddress,
    takeWaitingEntrance,
} from './account.js';
import {AppView} from './app_view.js';
import {Chat} from './chat.js';
import {ask, closeAll, say} from './dialog.js';
import {nameOf} from './format.js';
import {hasText, reasonOf, t} from './i18n.js';
import {openEntrance} from './invite_dialog.js';
import {LoginView} from './login_view.js';
import {OfflineCopy, restoreCopy} from './offline_copy.js';
import {forgetCopy, forgetOtherCopies, loadCopy} from './offline_store.js';
import {forgetPushed} from './push.js';
import {chatAddress} from './room_key.js';
import {onStorageFull} from './storage.js';
import {applyTheme} from './theme.js';
import {startWorker} from './worker.js';

// After these, and where the user asks for it, nothing of them stays in the browser. After others they come back, to what they
// have written.
const LEAVES_NOTHING = new Set(['logged_out', 'erased']);

// What index.html tells of the server's configuration: the API is at the root of this server, or under http.prefix, and its files
// are there or under media.base_url.
const configured = (name) => document.querySelector(`meta[name=tidings-${name}]`)?.content ?? '';
const url = new URL(configured('prefix') || '/', location.href);
const mediaBaseUrl = configured('media-base-url');
const place = document.getElementById('page');
let leave = null; // what is shown, and how it goes
let entered = null; // the chat of the user who is logged in
let appView = null; // and what shows it
let isLeaving = false; // the user has asked to be logged out here

// Resolves when what was shown before has gone.
function show(node, onLeave) {
    closeAll();
    const left = leave?.();
    leave = onLeave;
    place.replaceChildren(node);
    return left;
}

function showLogin(reason) {
    const {rest} = new TidingsClient({url});
    const view = new LoginView(rest, reason, async (answer, wantsKept) => {
        const account = {...loginOf(answer), kept: wantsKept && await mayKeep(answer.user)};
        enter(account, {isNew: true});
    });
    show(view.node, () => {});
    view.focus();
}

// isNew: the account is not kept yet.
async function enter(account, {isNew = false} = {}) {
    const {storage, release} = await storageOf(account);
    const copy = account.kept ? await loadCopy(account.user_id) : null;
    let forget = false, isOver = false;
    const chat = new Chat({account, loginStore: loginStoreOf(account), url, mediaBaseUrl, storage,
        onNews: (news) => view.tell(news), onSignedOut: (reason) => {
            isOver = true;
            forget = isLeaving || LEAVES_NOTHING.has(reason);
            signedOut(reason);
        }});
    if (isNew)
        rememberAccount(account); // not before its client hears what other tabs do to it
    if (copy !== null)
        restoreCopy(chat, copy);
    const offline = account.kept ? new OfflineCopy(chat, copy) : null;
    const view = new AppView(chat, (how) => logOut(chat, how));
    show(view.node, async () => {
        entered = appView = null;
        view.remove();
        await chat.stop();
        if (forget)
            forgetWritings(account);
        release();
        await offline?.end();
        if (isOver && account.kept)
            await Promise.all([forgetCopy(account.user_id), chat.push.forget()]);
    });
    entered = chat;
    appView = view;
    chat.start();
    openWaitingEntrance();
}

function openWaitingEntrance() {
    const entrance = entered === null ? null : takeWaitingEntrance();
    if (entrance?.kind === 'open')
        openConversation(entrance.code);
    else if (entrance !== null)
        openEntrance(entered, entrance);
}

// One of the user's, by its id.
async function openConversation(id) {
    const chat = entered;
    if (chat === null || !/^\d{1,20}$/.test(id))
        return;
    try {
        const {key} = chat.conversations.get(id) ?? await chat.conversationById(id);
        if (chat === entered)
            location.hash = chatAddress(key);
    } catch (problem) {
        say(reasonOf(problem));
    }
}

// The server is told, so that nobody can use the login any more. signedOut() follows.
async function logOut(chat, {all}) {
    isLeaving = true;
    try {
        await chat.logOut({all});
    } catch (problem) {
        if (all || !problem.transient)
            say(reasonOf(problem));
        else if (await ask(t('account.logOutHere'), t('settings.logOut')))
            await chat.forgetLogin();
    } finally {
        isLeaving = false;
    }
}

// The login is over: its client has forgotten it. Who wanted that need not be told.
function signedOut(reason) {
    history.replaceState(null, '', location.pathname + location.search);
    showLogin(isLeaving ? '' : t(hasText(`ended.${reason}`) ? `ended.${reason}` : 'ended.expired'));
}

// A link brought a token: whose it is only the server can tell. Who is logged in already is asked first, for the link may
// come from someone who would like to read what is written then.
async function enterWith(token) {
    const present = currentAccount();
    let user;
    try {
        user = await new TidingsClient({url, token}).rest.me();
    } catch (problem) {
        const reason = problem.aboutToken ? t('ended.expired') : reasonOf(problem);
        if (present === null) {
            showLogin(reason);
            return;
        }
        if (leave === null)
            await enter(present);
        say(t('login.linkFailed', {reason}));
        return;
    }
    const {user_id} = user;
    const isOwn = present?.user_id === user_id;
    const stays = isOwn ? present.login_id !== null : present !== null && !await mayReplace(present, user);
    if (stays) { // a login of one's own is worth more than the token: it renews itself
        if (leave === null || (isOwn && entered === null))
            await enter(present);
        else
            openWaitingEntrance();
        return;
    }
    const account = {token, user_id, login_id: null, kept: false};
    await enter(account, {isNew: true});
}

function fullName(user) {
    return nameOf(user) === user.user_id ? user.user_id : `${nameOf(user)} (${user.user_id})`;
}

// Whether the user may stay logged in, in the place of another one who does, and whose login ends then.
async function mayKeep(user) {
    const present = keptAccount();
    if (present === null || present.user_id === user.user_id)
        return true;
    const count = countUnsent(present, []);
    const me = present.user_id;
    const yes = await ask(t(count > 0 ? 'login.keptLosesAsk' : 'login.keptAsk', {name: fullName(user), me, count}), t('login.keptYes', {me}));
    if (yes)
        await leaveTo(present);
    return yes;
}

// Whether another user may take this one's place in this tab. A login that is kept in no other tab ends then.
async function mayReplace(present, user) {
    const name = fullName(user);
    const count = present.kept ? 0 : countUnsent(present, entered?.outgoing.waiting ?? []);
    const yes = await ask(t(count > 0 ? 'login.otherLosesAsk' : 'login.otherAsk', {name, me: present.user_id, count}), t('login.otherYes', {name}), 'primary');
    if (yes && !present.kept)
        await leaveTo(present);
    return yes;
}

async function leaveTo(present) {
    await show(document.createElement('div'), null);
    const client = new TidingsClient({url, loginStore: loginStoreOf(present)});
    if (present.login_id !== null)
        await client.logout().catch(() => {}); // the server may be away; the login then ends by itself
    await client.forgetLogin();
    await client.close();
    forgetWritings(present);
    if (present.kept) {
        forgetCopy(present.user_id);
        forgetPushed(); // the server may not have heard of it
    }
}

function begin() {
    applyTheme();
    startWorker({isTheirs: () => entered?.push.isPossible ?? false, onOpen: openConversation, onNewVersion: () => appView?.offerNewVersion()});
    forgetOtherCopies(keptAccount()?.user_id ?? null);
    onStorageFull(() => document.getElementById('notes') && say(t('state.storageFull')));
    takeEntranceFromAddress();
    const token = takeTokenFromAddress();
    const account = currentAccount();
    if (token !== null)
        enterWith(token);
    else if (account !== null)
        enter(account);
    else
        showLogin('');
    // The same link followed in a page that is there already changes the address only.
    addEventListener('hashchange', () => {
        takeEntranceFromAddress();
        const other = takeTokenFromAddress();
        if (other !== null)
            enterWith(other);
        else
            openWaitingEntrance();
    });
}

begin();
