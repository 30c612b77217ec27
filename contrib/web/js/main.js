// SPDX-License-Identifier: BSD-2-Clause
// Where the page begins: who is logged in, or the way in.
import {TidingsClient} from '../client/index.js';
import {
    currentAccount, forgetAccount, forgetWritings, onLoggedOutElsewhere, rememberAccount, storageOf, takeEntranceFromAddress,
    takeTokenFromAddress, takeWaitingEntrance,
} from './account.js';
import {AppView} from './app_view.js';
import {Chat} from './chat.js';
import {ask, say} from './dialog.js';
import {nameOf} from './format.js';
import {reasonOf, t} from './i18n.js';
import {openEntrance} from './invite_dialog.js';
import {LoginView} from './login_view.js';
import {onStorageFull} from './storage.js';
import {applyTheme} from './theme.js';

// The API is at the root of this server, or under http.prefix, which index.html tells.
const url = new URL(document.querySelector('meta[name=tidings-prefix]').content || '/', location.href);
const place = document.getElementById('page');
let leave = null; // what is shown, and how it goes
let entered = null; // the chat of the user who is logged in

function show(node, onLeave) {
    leave?.();
    leave = onLeave;
    place.replaceChildren(node);
}

function showLogin(reason) {
    const {rest} = new TidingsClient({url});
    const view = new LoginView(rest, reason, (account) => {
        rememberAccount(account);
        enter(account);
    });
    show(view.node, () => {});
    view.focus();
}

async function enter(account) {
    const {storage, release} = await storageOf(account);
    const chat = new Chat({account, url, storage,
        onNews: (news) => view.tell(news), onSignedOut: () => logOut(t('login.expired'))});
    let forget = false;
    const view = new AppView(chat, () => {
        forget = true;
        logOut('');
    });
    show(view.node, async () => {
        entered = null;
        view.remove();
        await chat.stop();
        if (forget)
            forgetWritings(storage, account.user_id);
        release();
    });
    entered = chat;
    chat.start();
    openWaitingEntrance();
}

function openWaitingEntrance() {
    const entrance = entered === null ? null : takeWaitingEntrance();
    if (entrance !== null)
        openEntrance(entered, entrance);
}

function logOut(reason) {
    forgetAccount();
    history.replaceState(null, '', location.pathname + location.search);
    showLogin(reason);
}

// A link brought a token: whose it is only the server can tell. Who is logged in already is asked first, for the link may
// come from someone who would like to read what is written then.
async function enterWith(token) {
    const present = currentAccount();
    let user;
    try {
        user = await new TidingsClient({url, token}).rest.me();
    } catch (problem) {
        const reason = problem.aboutToken ? t('login.expired') : reasonOf(problem);
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
    if (present !== null && present.user_id !== user_id) {
        const name = nameOf(user) === user_id ? user_id : `${nameOf(user)} (${user_id})`;
        if (!await ask(t('login.otherAsk', {name, me: present.user_id}), t('login.otherYes', {name}), 'primary')) {
            if (leave === null)
                enter(present);
            return;
        }
    }
    const account = {token, user_id, kept: false};
    rememberAccount(account);
    await enter(account);
}

function begin() {
    applyTheme();
    onLoggedOutElsewhere(() => logOut(''));
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
