# SPDX-License-Identifier: BSD-2-Clause
# Proves that what is delivered arrives: `make install` puts every file in its place, manual pages, logrotate and sysusers
# files are in order, and the Debian package names what it is built from. With TIDINGS_PACKAGE=1, which takes minutes,
# root and a network, the package is built, lintian finds no error, and it is installed into a fresh Debian, upgraded,
# removed and purged there (in TIDINGS_ROOT, a debootstrap of the release, if given). What is not proved is a start
# under systemd, for none runs in a chroot.
use Tidings;
use Cwd ();
use Tidings::HTTP;
use Tidings::Util qw(free_port reap run signal_and_reap slurp spawn spew);

my $top = Tidings::top();
my $dir = Tidings::dir();
my $build = Tidings::Server::build_dir();

sub has_program { my ($name) = @_; return grep { -x "$_/$name" } split /:/, "$ENV{PATH}:/usr/sbin:/sbin" }
sub runs {
	my ($name, @cmd) = @_;
	my ($status, $out, $err) = run($dir, @cmd);
	is $status, 0, $name or diag($out . $err);
	return "$out$err";
}

subtest 'make install' => sub {
	runs('make install', 'make', '-s', '-C', $build, 'install', "DESTDIR=$dir/install");
	my $prefix = slurp("$build/Makefile") =~ /^prefix = (.*)$/m ? $1 : die "no prefix\n";
	my @files = map { substr $_, length "$dir/install" } split /\n/, (run($dir, 'find', "$dir/install", '-type', 'f'))[1];
	my %is = map { $_ => 1 } @files;
	is_deeply [grep { !$is{$prefix . $_} } qw(/sbin/tidingsd /bin/tidingsctl /libexec/tidings/tidings-media /share/man/man8/tidingsd.8 /share/man/man1/tidingsctl.1
		/share/man/man5/tidings.conf.5 /lib/sysusers.d/tidings.conf /share/tidings/web/index.html)], [], 'programs, manual pages, sysusers, web';
	is scalar(grep { m{/etc/(?:tidings/tidings\.conf\.sample|logrotate\.d/tidings)\z} } @files), 2, 'sample configuration and logrotate';
	runs('make uninstall', 'make', '-s', '-C', $build, 'uninstall', "DESTDIR=$dir/install");
	is((run($dir, 'find', "$dir/install", '-type', 'f'))[1], '', 'takes all of it away');
};

subtest 'make dist' => sub {
	runs('has every file that the Makefile names', 'make', '-s', '-C', $build, 'distdir', "distdir=$dir/dist");
	ok -e "$dir/dist/$_", "and $_" for qw(configure contrib/debian/rules contrib/systemd/tidings.service t/90-package.t);
	my $absolute = $build =~ m{^/} ? $build : Cwd::abs_path($build);
	runs('and keeps the house rules', 'sh', '-c', "cd '$dir/dist' && TIDINGS_BUILD='$absolute' prove -I t/lib t/01-*.t t/02-*.t t/03-*.t t/04-*.t");
};

subtest 'manual pages' => sub {
	plan skip_all => 'mandoc is not installed' if !has_program('mandoc');
	for (qw(tidingsd.8 tidingsctl.1 tidings.conf.5)) {
		my $said = runs($_, 'mandoc', '-Tlint', '-Wwarning', "$top/doc/$_");
		is $said, '', 'without a warning';
	}
};

subtest 'logrotate' => sub {
	plan skip_all => 'logrotate is not installed' if !has_program('logrotate');
	my $text = slurp("$top/contrib/logrotate/tidings");
	# There need be no user of that name here, nor a service.
	mkdir "$dir/log" or die "$dir/log: $!\n";
	chmod 0750, "$dir/log";
	my $changes = ($text =~ s{/var/log/tidings}{$dir/log}) + ($text =~ s{\tsu tidings adm\n}{}) + ($text =~ s{ tidings adm}{});
	is $changes, 3, 'it is as this test knows it';
	$text =~ s{systemctl kill .*}{touch $dir/log/was-told};
	$text =~ s{-d /run/systemd/system}{-d /};
	spew("$dir/log/access.log", "a line\n");
	my $conf = spew("$dir/logrotate", $text, 0644);
	runs('it is understood', 'logrotate', '-d', '-s', "$dir/state", $conf);
	runs('it rotates', 'logrotate', '-f', '-s', "$dir/state", $conf);
	is slurp("$dir/log/access.log.1"), "a line\n", 'a log is put aside';
	ok -e "$dir/log/was-told", 'and the server is told';
};

subtest 'sysusers' => sub {
	plan skip_all => 'systemd-sysusers is not installed' if !has_program('systemd-sysusers');
	my ($status, $out, $err) = run($dir, 'systemd-sysusers', '--dry-run', "$top/contrib/sysusers.d/tidings.conf");
	is $status, 0, 'it is understood' or diag($err);
	my $exists = defined getpwnam 'tidings';
	like $out . $err, qr/tidings/, 'a user would be made' if !$exists;
};

subtest 'the package is written for this tree' => sub {
	my $control = slurp("$top/contrib/debian/control");
	my ($needs) = $control =~ /^Build-Depends: (.*?)\n\n/ms;
	my ($listed) = slurp("$top/contrib/packages.sh") =~ /build_packages="(.*?)"/s;
	# The image names the packages of the libraries itself: Debian calls libfoo.so.1 libfoo1, libz.so.1 zlib1g and libcares.so.2 libc-ares2.
	my %needed = map { $_ => 1 } map { (run($dir, 'readelf', '-d', Tidings::Server::program($_)))[1] =~ /\(NEEDED\).*\[(.*)\]/g } qw(tidingsd tidings-media);
	# What libvips42 needs for itself is named by it.
	my @sonames = grep { !/^lib(?:c|m|asan|ubsan|crypto|glib-2\.0|gobject-2\.0)\.so/ } sort keys %needed;
	my @packages = map { /^libz\.so/ ? 'zlib1g' : /^libcares\.so/ ? 'libc-ares2' : do { my ($name, $version) = /^(.*)\.so\.(.*)$/; $name =~ tr/_/-/; $name . ($name =~ /\d$/ ? '-' : '') . $version } } @sonames;
	my ($image) = slurp("$top/contrib/docker/Dockerfile") =~ /--no-install-recommends (lib.*?) &&/s;
	is_deeply [sort grep { /^z?lib/ } split /[\s\\]+/, $image], [sort @packages], 'the image has the libraries that the program wants';
	is_deeply [sort $needs =~ /([\w.+-]+-dev)\b/g], [sort $listed =~ /([\w.+-]+-dev)\b/g], 'it is built from what contrib/packages.sh lists';
	my ($version) = slurp("$top/configure.ac") =~ /AC_INIT\(\[tidings\], \[([^\]]+)\]/;
	like slurp("$top/contrib/debian/changelog"), qr/\Atidings \(\Q$version\E-\d+\) /, 'its changelog begins with this version';
	for my $script (qw(postinst postrm)) {
		runs("$script parses", 'sh', '-n', "$top/contrib/debian/$script");
		runs("shellcheck has nothing to say about $script", 'shellcheck', "$top/contrib/debian/$script") if has_program('shellcheck');
	}
};

subtest 'containers' => sub {
	my ($status) = has_program('docker') ? run($dir, 'docker', 'compose', 'version') : 1;
	plan skip_all => 'docker compose is not installed' if $status;
	runs('the compose file is understood', 'docker', 'compose', '-f', "$top/contrib/docker/compose.yaml", 'config', '-q');
};

subtest 'the package' => sub {
	plan skip_all => 'takes minutes: set TIDINGS_PACKAGE=1' if !$ENV{TIDINGS_PACKAGE};
	plan skip_all => 'needs root' if $> != 0;
	my @missing = grep { !has_program($_) } qw(dpkg-buildpackage dh lintian), $ENV{TIDINGS_ROOT} ? () : 'debootstrap';
	plan skip_all => "not installed: @missing (packages dpkg-dev debhelper lintian debootstrap)" if @missing;
	# All that is slow is run by one shell, without the patience of run().
	my $slowly = sub {
		my ($name, $script) = @_;
		my $log = "$dir/slow.log";
		unlink $log;
		my $pid = spawn(log => $log, cmd => ['sh', '-ec', $script], env => {DEBIAN_FRONTEND => 'noninteractive', LC_ALL => 'C.UTF-8'});
		my $status = wait_for($name, sub { my $s = reap($pid); defined $s ? "ended $s" : undef }, 1200);
		is $status, 'ended 0', $name or diag(slurp($log));
		return slurp($log);
	};
	mkdir "$dir/release";
	$slowly->('make deb', "cd $dir/release && $top/configure -q && make deb");
	my ($changes) = glob "$dir/release/deb/*.changes";
	my ($deb) = grep { !/dbgsym/ } glob "$dir/release/deb/*.deb";
	ok $deb, 'a package' or return;
	$slowly->('lintian finds no error', "lintian --allow-root --fail-on error $changes");

	my $root = $ENV{TIDINGS_ROOT} // "$dir/root";
	$slowly->('a fresh Debian', "debootstrap --variant=minbase bookworm $root") if !$ENV{TIDINGS_ROOT};
	spew("$root/usr/sbin/policy-rc.d", "#!/bin/sh\nexit 101\n", 0755);
	my @before = sort split /\n/, (run($dir, 'find', $root, '-xdev', '-path', '*tidings*'))[1];
	run($dir, 'cp', $deb, "$root/tmp/tidings.deb");
	my $inside = sub { my ($name, $script) = @_; return $slowly->($name, "chroot $root sh -ec '$script'") };
	$inside->('install', 'apt-get update -q && apt-get install -q -y --no-install-recommends /tmp/tidings.deb');
	like slurp("$root/etc/passwd"), qr{^tidings:.*:/usr/sbin/nologin$}m, 'the user is there';
	my $gid = (slurp("$root/etc/group") =~ /^tidings:[^:]*:(\d+):/m)[0];
	my $secret = slurp("$root/etc/tidings/jwt-secret");
	like $secret, qr/\A[0-9a-f]{64}\n\z/, 'a secret of 256 bits';
	my $mode = sub { my ($path) = @_; my @s = stat "$root$path"; return sprintf '%o %d %d', $s[2] & 07777, @s[4, 5] };
	is $mode->('/etc/tidings/jwt-secret'), "640 0 $gid", 'for root and the server alone';
	is $mode->('/etc/tidings'), "750 0 $gid", 'as is all of the configuration';
	like $inside->('the configuration is good', 'tidingsd -t'), qr/is good/, 'and says so';
	like $inside->('tokens can be signed', 'tidingsctl token alice'), qr/^[\w-]+\.[\w-]+\.[\w-]+$/m, 'with that secret';
	my @unit = glob "$root/lib/systemd/system/tidings.service";
	is scalar(@unit), 1, 'the unit is there';
	ok -l "$root/etc/systemd/system/multi-user.target.wants/tidings.service", 'and enabled';

	# What a service manager would start, on ports of this test.
	my ($port, $admin) = (free_port(), free_port());
	(my $conf = slurp("$root/etc/tidings/tidings.conf")) =~ s{^\trun_dir.*}{}mg;
	spew("$root/tmp/tidings.conf", "listen = {\"127.0.0.1:$port\"}\nrun_dir = \"/tmp/tidings-run\"\nadmin { listen = \"127.0.0.1:$admin\" }\nmysql { socket = \"/nonexistent\" }\nredis { socket = \"/nonexistent\" }\n" . $conf, 0644);
	$inside->('its run_dir', 'install -d -o tidings -g tidings /tmp/tidings-run');
	my $pid = spawn(log => "$dir/inside.log", cmd => ['chroot', "--userspec=tidings:tidings", $root, 'tidingsd', '-c', '/tmp/tidings.conf']);
	my $alive = eval { wait_for('the server', sub {
		die slurp("$dir/inside.log") if defined reap($pid);
		my $r = eval { Tidings::HTTP->new(address => "127.0.0.1:$admin", admin => 1)->get('/healthz') };
		$r && $r->status == 200 }) };
	ok $alive, 'it runs as that user, alive without its databases' or diag($@);
	is signal_and_reap($pid, 'TERM'), 0, 'and ends well';

	spew("$root/etc/tidings/tidings.conf", slurp("$root/etc/tidings/tidings.conf") . "# mine\n");
	$inside->('install over it', 'dpkg -i /tmp/tidings.deb');
	is slurp("$root/etc/tidings/jwt-secret"), $secret, 'the secret stays';
	like slurp("$root/etc/tidings/tidings.conf"), qr/# mine$/m, 'and so does what was changed';
	$inside->('remove', 'apt-get remove -q -y tidings');
	is slurp("$root/etc/tidings/jwt-secret"), $secret, 'leaves the secret';
	$inside->('purge', 'apt-get purge -q -y tidings');
	run($dir, 'rm', '-rf', map { "$root/tmp/$_" } qw(tidings.deb tidings.conf tidings-run));
	my @after = sort split /\n/, (run($dir, 'find', $root, '-xdev', '-path', '*tidings*'))[1];
	is_deeply \@after, \@before, 'leaves nothing';
};

done_testing;
