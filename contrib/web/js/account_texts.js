// SPDX-License-Identifier: BSD-2-Clause
// The texts about logins, passwords and the end of an account, in English and Chinese; a part of those in i18n.js.

export const ACCOUNT_TEXTS = {
    // Why one is at the login form again.
    'ended.expired': ['Your session has ended. Please log in again.', '登录已失效，请重新登录。'],
    'ended.revoked': ['Your login was ended by the server. Please log in again.', '服务器已结束您的登录，请重新登录。'],
    'ended.logged_out': ['You were logged out, in another tab or on another device. Drafts and messages that were not sent are gone from this browser.',
        '您已在另一个标签页或另一台设备上退出登录。此浏览器中的草稿和未发送的消息已删除。'],
    'ended.password_changed': ['Your password was changed on another device. Please log in again with the new one.',
        '您的密码已在另一台设备上更改，请用新密码重新登录。'],
    'ended.token_reused': ['For safety you were logged out: somebody else may have used your login. Please log in again, and look at your devices in the settings.',
        '为了安全，您已被退出登录：可能有其他人使用了您的登录。请重新登录，并在设置中检查您的设备。'],
    'ended.too_many_logins': ['You are logged in on so many devices that this one was logged out. Please log in again.',
        '您登录的设备太多，此设备已被退出登录，请重新登录。'],
    'ended.disabled': ['Your account was disabled. Ask the administrator.', '您的账号已被停用，请联系管理员。'],
    'ended.erased': ['Your account was deleted.', '您的账号已删除。'],

    'login.disabled': ['This account was disabled. Ask the administrator.', '此账号已被停用，请联系管理员。'],
    'login.otherLosesAsk': ['This link logs you in as {name}, but you are logged in as {me}. Log in as {name} in this tab? {count} messages of {me} that were not sent yet will be lost.',
        '此链接将以 {name} 的身份登录，但您当前以 {me} 的身份登录。要在此标签页中以 {name} 登录吗？{me} 有 {count} 条尚未发送的消息会丢失。'],
    'login.otherLosesAsk_one': ['This link logs you in as {name}, but you are logged in as {me}. Log in as {name} in this tab? 1 message of {me} that was not sent yet will be lost.', null],

    'login.keptAsk': ['{me} stays logged in in this browser, and only one user can. Log {me} out? Otherwise {name} is logged in in this tab alone.',
        '{me} 在此浏览器中保持登录，而只能有一个用户保持登录。要退出 {me} 吗？否则 {name} 仅在此标签页中登录。'],
    'login.keptLosesAsk': ['{me} stays logged in in this browser, and only one user can. Log {me} out? {count} messages of {me} that were not sent yet will be lost. Otherwise {name} is logged in in this tab alone.',
        '{me} 在此浏览器中保持登录，而只能有一个用户保持登录。要退出 {me} 吗？{me} 有 {count} 条尚未发送的消息会丢失。否则 {name} 仅在此标签页中登录。'],
    'login.keptLosesAsk_one': ['{me} stays logged in in this browser, and only one user can. Log {me} out? 1 message of {me} that was not sent yet will be lost. Otherwise {name} is logged in in this tab alone.', null],
    'login.keptYes': ['Log out {me}', '退出 {me}'],

    'account.title': ['Account and security', '账号与安全'],
    'account.logOutHere': ['The server cannot be reached, so it cannot be told. Log out in this browser only? The login stays in the list of your devices; end it there later.',
        '无法连接服务器，因此无法通知它。只在此浏览器中退出登录吗？此登录仍会留在您的设备列表中，请稍后在那里结束它。'],

    'devices.title': ['Your devices', '您的设备'],
    'devices.open': ['Your devices', '您的设备'],
    'devices.hint': ['Where you are logged in. If you do not know one of them, log it out and change your password.',
        '您已登录的设备。如果有您不认识的设备，请将其退出登录并更改密码。'],
    'devices.byLink': ['This tab was opened by a link with a token, which is in no list.', '此标签页是通过带令牌的链接打开的，不在列表中。'],
    'devices.none': ['You are logged in nowhere else.', '您没有在其他地方登录。'],
    'devices.unknown': ['Unknown device', '未知设备'],
    'devices.current': ['This device', '此设备'],
    'devices.used': ['last used {time}', '最后使用：{time}'],
    'devices.usedNow': ['in use now', '正在使用'],
    'devices.since': ['Logged in {time}', '登录时间：{time}'],
    'devices.end': ['Log out', '退出登录'],
    'devices.endOf': ['Log out {name}', '退出 {name}'],
    'devices.ended': ['{name} was logged out.', '{name} 已退出登录。'],
    'devices.endAll': ['Log out everywhere', '退出所有登录'],
    'devices.endAllAsk': ['Log out on all devices, this one too? You will need your password to log in again.', '要退出所有设备上的登录吗（包括此设备）？重新登录需要密码。'],
    'devices.endAllLosesAsk': ['Log out on all devices, this one too? {count} messages that were not sent yet will be lost here.', '要退出所有设备上的登录吗（包括此设备）？{count} 条尚未发送的消息会在此丢失。'],
    'devices.endAllLosesAsk_one': ['Log out on all devices, this one too? 1 message that was not sent yet will be lost here.', null],

    'password.title': ['Change password', '更改密码'],
    'password.old': ['Present password', '当前密码'],
    'password.new': ['New password', '新密码'],
    'password.hint': ['You stay logged in here. All other devices are logged out.', '您在此处保持登录，其他设备都会退出登录。'],
    'password.wrong': ['The present password is wrong.', '当前密码错误。'],
    'password.changed': ['Your password is changed. All other devices are logged out.', '密码已更改，其他设备都已退出登录。'],


};
