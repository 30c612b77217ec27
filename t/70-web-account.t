# SPDX-License-Identifier: BSD-2-Clause
# Proves the way into the chat page: registering, logging in and out, staying logged in, several people in one browser,
# links with a token, the session's end, and the page in Chinese.
use utf8;
use Tidings;
use Tidings::Web;

my $missing = Tidings::Browser::missing();
plan skip_all => $missing if $missing;
binmode Test::More->builder->$_, ':utf8' for qw(output failure_output);
my $web = Tidings::Web->start;
my $t = $web->t;

my $ann = $web->visit;
subtest 'registering' => sub {
	$ann->wait_text('h1', 'Tidings');
	$ann->register('ann', 'short', 'Ann');
	$ann->wait_text('.fault', 'This password cannot be used.');
	is $ann->value(q{performance.getEntriesByType('resource').filter((e) => e.name.endsWith('/users/register')).length}), 0, 'a password that is too short is not sent';
	$ann->register('register', 'correct horse', 'Ann');
	$ann->wait_text('.fault', 'This user name cannot be used.');
	pass 'what the server refuses is said, in words and not by the name of a field';
	$ann->click('.modes button:nth-child(1)');
	is $ann->value(q{document.querySelector('.login .fault').textContent}), '', 'and not of another form';
	$ann->register('ann', 'correct horse', 'Ann Lee');
	$ann->wait_online->wait_text('.mine .name', 'Ann Lee');
	pass 'an account is made, and its user is inside';
	$ann->wait_text('.empty', 'No conversations yet');
	pass 'an empty list says what to do';
	is $ann->value(q{localStorage.getItem('tidings-web:account')}), undef, 'the token is this tab\'s alone';
};

subtest 'several people, one browser' => sub {
	my $ben = $web->visit(beside => $ann);
	$ben->register('ann', 'another password', '');
	$ben->wait_text('.fault', 'taken');
	pass 'a name can be taken once';
	$ben->register('ben', 'battery staple', 'Ben');
	$ben->wait_online;
	$ann->reload->wait_text('.mine .name', 'Ann Lee');
	$ann->wait_online;
	$ben->wait_text('.mine .name', 'Ben');
	pass 'each tab has its own user, also when loaded again';
	$ben->close;
};

subtest 'logging out and in, staying' => sub {
	$ann->value(q{sessionStorage.setItem('tidings-web:ann:drafts', '{"ben":{"text":"secret","replyTo":null}}')});
	$ann->click('.mine')->click('.log-out');
	$ann->wait_value(q{document.querySelector('input[name=username]') && !Object.keys(sessionStorage).some((k) => k.startsWith('tidings-web:a'))});
	pass 'who logs out leaves neither token nor drafts behind';
	$ann->log_in('ann', 'wrong password');
	$ann->wait_text('.fault', 'wrong');
	pass 'a wrong password';
	$ann->click('input[name=keep]')->log_in('ann', 'correct horse');
	$ann->wait_online;
	my $again = $web->visit(beside => $ann);
	$again->wait_online->wait_text('.mine .name', 'Ann Lee');
	pass 'who stays logged in is so in a new tab';
	$again->click('.mine')->click('.log-out');
	$again->wait_value(q{document.querySelector('input[name=username]')});
	$ann->wait_value(q{document.querySelector('input[name=username]')});
	pass 'and logging out there is for both';
	$again->close;
	is_deeply [$ann->own_faults], [], 'no fault in the console';
};

subtest 'a link with a token' => sub {
	my $page = $web->enter('ann');
	is $page->value('location.hash'), '', 'the token leaves the address';
	my ($link) = $page->click('.mine')->wait_value(q{[...document.querySelectorAll('.dialog a')].filter((a) => a.textContent === 'API for developers').map((a) => a.pathname)[0]});
	like $t->http(undef)->get($link)->body, qr{<title>Tidings: the API</title>}, 'the settings lead to the page of the API';
	$page->fill('.dialog input[autocomplete=nickname]', "by link\n");
	$page->wait_text('.mine .name', 'by link');
	is $t->api('ann')->get('/users/me')->json->{nickname}, 'by link', 'the profile can be changed';
	my $bad = $web->visit(hash => '#token=nonsense');
	$bad->wait_text('.fault', 'log in again');
	pass 'a bad token leads to the login form';
	my $short = $web->visit(hash => '#token=' . $t->token('ann', exp => time + 300));
	$short->wait_online;
	$t->node->clock(400);
	$short->wait_text('.fault', 'log in again');
	pass 'and so does one that runs out';
};

subtest 'a link for somebody else' => sub {
	my $page = $web->visit;
	$page->click('input[name=keep]')->log_in('ann', 'correct horse');
	$page->wait_online;
	my $is = sub { my ($page, $name, $what) = @_; $page->wait_online->wait_text('.mine .name', $name); pass $what };
	my $link = '#token=' . $t->token('ben');
	my $tab = $web->visit(beside => $page, hash => $link);
	$tab->wait_text('.ask', 'logs you in as Ben (ben), but you are logged in as ann');
	is $tab->value('location.hash'), '', 'who is logged in is asked';
	$tab->click('.ask .quiet');
	$is->($tab, 'by link', 'who does not agree stays who they are');
	$tab->value("void (location.hash = '$link')");
	$tab->wait_text('.ask', 'logs you in as Ben')->key('Escape')->wait_gone('.ask');
	$is->($tab, 'by link', 'also in a page that is open already');
	$tab->value("void (location.hash = '$link')");
	$tab->click('.ask .primary')->wait_text('.mine .name', 'Ben');
	$tab->wait_online->reload->wait_online->wait_text('.mine .name', 'Ben');
	pass 'who agrees is the other, in this tab';
	$page->reload->wait_online;
	$is->($page, 'by link', 'and nobody else in another');
	$tab->close;
	$tab = $web->visit(beside => $page, hash => '#token=nonsense');
	$tab->wait_note('could not be used');
	$is->($tab, 'by link', 'a bad one logs nobody out');
	$tab->close;
	$tab = $web->visit(beside => $page, hash => '#token=' . $t->token('ann'));
	$tab->wait_online;
	is $tab->count('.ask'), 0, 'one\'s own is not asked about';
	is $tab->value(q{sessionStorage.getItem('tidings-web:account')}), undef, 'and does not take the place of a login, which renews itself';
	$_->close for $tab, $page;
};

subtest 'in Chinese' => sub {
	my $page = $web->visit;
	$page->wait_value(q{document.querySelector('.login select')});
	is $page->value('document.documentElement.lang'), 'en', 'English first, by the browser\'s languages';
	$page->select('.login select', 'zh');
	$page->wait_text('.login .primary', '登录');
	is $page->value('document.documentElement.lang'), 'zh-CN', 'the language is told';
	$page->register('mei', '正确的马和电池', '林梅');
	$page->wait_online->wait_text('.empty', '还没有会话');
	$page->click('#tab-friends')->type('.people input', "nobody.here\n");
	$page->wait_text('.found', '没有用户“nobody.here”');
	$page->click('.mine');
	$page->wait_text('.dialog h2', '设置');
	$page->wait_text('.dialog a', '面向开发者的 API');
	my $text = $page->value(q{document.body.innerText});
	unlike $text =~ s/Tidings|English|nobody\.here|mei|https//gr, qr/[A-Za-z]{4,}/, 'no English word is left over';
	is_deeply [$page->own_faults], [], 'no fault in the console';
};

subtest 'registration is closed' => sub {
	$t->node->configure({%{$t->node->{conf}}, account => {registration => 'closed'}})->reload;
	my $page = $web->visit;
	$page->wait_text('h1', 'Tidings');
	$page->register('late', 'correct horse', '');
	$page->wait_text('.fault', 'Ask the administrator');
	pass 'is said, and whom to ask';
	$page->wait_value(q{!document.querySelector('.modes').checkVisibility()});
	is $page->value(q{document.querySelector('.login .primary').textContent}), 'Log in', 'and registering is offered no more';
	$page->log_in('ann', 'correct horse');
	$page->wait_online;
	pass 'but logging in is';
};

$web->stop;
my $closed = Tidings::Web->start(conf => {accounts => 'false'});
my $page = $closed->visit;
$page->log_in('ann', 'correct horse');
$page->wait_text('.fault', 'no accounts of its own');
pass 'a server without accounts says so';
$closed->stop;
done_testing;
