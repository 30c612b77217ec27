// SPDX-License-Identifier: BSD-2-Clause
// Where the page begins: who is logged in, or the way in.
import {TidingsClient} from '../client/index.js';
import {
    currentAccount, forgetAccount, forgetWritings, onLoggedOutElsewhere, rememberAccount, storageOf, takeTokenFromAddress,
} from './account.js';
import {AppView} from './app_view.js';
import {Chat} from './chat.js';
import {t} from './i18n.js';
import {LoginView} from './login_view.js';
import {applyTheme} from './theme.js';

// The API is at the root of this server, or under http.prefix, which index.html tells.
const url = new URL(document.querySelector('meta[name=tidings-prefix]').content || '/', location.href);
const place = document.getElementById('page');
let leave = null; // what is shown, and how it goes

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
        view.remove();
        await chat.stop();
        if (forget)
            forgetWritings(storage, account.user_id);
        release();
    });
    chat.start();
}

function logOut(reason) {
    forgetAccount();
    history.replaceState(null, '', location.pathname + location.search);
    showLogin(reason);
}

// A link brought a token: whose it is only the server can tell.
async function enterWith(token) {
    try {
        const {user_id} = await new TidingsClient({url, token}).rest.me();
        const account = {token, user_id, kept: false};
        rememberAccount(account);
        await enter(account);
    } catch (problem) {
        showLogin(problem.aboutToken ? t('login.expired') : problem.message);
    }
}

function begin() {
    applyTheme();
    onLoggedOutElsewhere(() => logOut(''));
    const token = takeTokenFromAddress();
    const account = currentAccount();
    if (token !== null)
        enterWith(token);
    else if (account !== null)
        enter(account);
    else
        showLogin('');
}

begin();
