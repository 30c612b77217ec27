# SPDX-License-Identifier: BSD-2-Clause
# A private MariaDB and a private Redis, on UNIX sockets in a directory of the test. They can be stopped, killed
# and started again, which is what some tests are about.
package Tidings::Stack;
use strict;
use warnings;
use Cwd qw(abs_path);
use DBI;
use Fcntl qw(LOCK_EX);
use File::Path ();
use IO::Socket::UNIX;
use Tidings::Util qw(wait_for spawn reap signal_and_reap run slurp);

# mariadb_options, redis_options: more options of the servers, also for each later start.
sub new {
	my ($class, $dir, %o) = @_;
	my $self = bless {mariadb_options => [], redis_options => [], %o, dir => $dir, databases => 0, owner => $$}, $class;
	# Two servers in one tmpdir take each other's temporary files away.
	mkdir "$dir/tmp" or die "$dir/tmp: $!\n";
	# mariadbd refuses to run as root unless told so; install and server have to agree.
	$self->{user} = [$> == 0 ? '--user=root' : ()];
	my ($status, $out, $err) = run($dir, 'cp', '-R', $self->template, "$dir/mariadb");
	die "cannot copy the empty database ($status):\n$err" if $status;
	$self->redis_start(wait => 0);
	$self->mariadb_start;
	$self->redis_wait;
	return $self;
}

# The directory of an empty database. The first test of a build makes it; making one takes a hundred times as long as a copy.
sub template {
	my ($self) = @_;
	my $template = abs_path(Tidings::Server::build_dir() . '/t') . '/empty-mariadb';
	my ($dir, $new) = ($self->{dir}, "$template.new");
	open my $lock, '>', "$template.lock" or die "$template.lock: $!\n";
	flock $lock, LOCK_EX or die "$template.lock: $!\n";
	my ($server) = grep { -x } map { "$_/mariadbd" } split /:/, $ENV{PATH};
	return $template if -d $template && defined $server && (stat $template)[9] > (stat $server)[10];
	File::Path::remove_tree($template, $new);
	my ($status, $out, $err) = run($dir, 'mysql_install_db', '--no-defaults', "--datadir=$new",
		'--auth-root-authentication-method=normal', '--skip-test-db', '--innodb-log-file-size=16M', "--tmpdir=$dir/tmp", @{$self->{user}});
	die "mysql_install_db failed ($status):\n$out$err" if $status;
	rename $new, $template or die "$template: $!\n";
	return $template;
}

sub mariadb_socket { return "$_[0]{dir}/mariadb.sock" }
sub redis_socket { return "$_[0]{dir}/redis.sock" }

sub mariadb_start {
	my ($self) = @_;
	my $dir = $self->{dir};
	$self->{mariadb} = spawn(log => "$dir/mariadb.log", cmd => ['mariadbd', '--no-defaults', "--datadir=$dir/mariadb",
		"--socket=$dir/mariadb.sock", "--pid-file=$dir/mariadb.pid", "--tmpdir=$dir/tmp", '--skip-networking', @{$self->{user}},
		'--innodb-flush-log-at-trx-commit=1', '--innodb-log-file-size=16M', '--max-connections=400',
		'--performance-schema=off', '--character-set-server=utf8mb4', @{$self->{mariadb_options}}]);
	wait_for('MariaDB', sub {
		defined reap($self->{mariadb}) and die "MariaDB did not start:\n" . slurp("$dir/mariadb.log");
		return $self->dbh(undef, quiet => 1);
	});
	return;
}

sub mariadb_stop {
	my ($self, $signal) = @_;
	my $pid = delete $self->{mariadb} or return;
	signal_and_reap($pid, $signal // 'TERM');
	return;
}

# A connection of one's own; errors die.
sub dbh {
	my ($self, $database, %o) = @_;
	my $dsn = 'DBI:MariaDB:mariadb_socket=' . $self->mariadb_socket . (defined $database ? ";database=$database" : '');
	my $dbh = DBI->connect($dsn, 'root', '', {RaiseError => !$o{quiet}, PrintError => 0, AutoInactiveDestroy => 1});
	return $dbh;
}

# A user of the database with all rights on databases, and without those of an administrator: read_only and init_connect
# hold for it.
sub mortal_user {
	my ($self) = @_;
	my $dbh = $self->dbh;
	$dbh->do('SET SESSION TRANSACTION READ WRITE');
	$dbh->do("CREATE USER IF NOT EXISTS 'mortal'\@'$_' IDENTIFIED BY ''"),
		$dbh->do("GRANT ALL ON `tidings\\_%`.* TO 'mortal'\@'$_'") for qw(localhost 127.0.0.1 %);
	return 'mortal';
}

# The name of a database that no other part of this test uses.
sub fresh_database {
	my ($self) = @_;
	return 'tidings_' . ++$self->{databases};
}

sub redis_start {
	my ($self, %o) = @_;
	my $dir = $self->{dir};
	$self->{redis} = spawn(log => "$dir/redis.log", cmd => ['redis-server', '--port', '0', '--unixsocket',
		"$dir/redis.sock", '--save', '', '--appendonly', 'no', '--dir', $dir, @{$self->{redis_options}}]);
	$self->redis_wait if $o{wait} // 1;
	return;
}

sub redis_wait {
	my ($self) = @_;
	wait_for('Redis', sub {
		defined reap($self->{redis}) and die "Redis did not start:\n" . slurp("$self->{dir}/redis.log");
		return ($self->redis_do('PING') // '') eq 'PONG';
	});
	return;
}

sub redis_stop {
	my ($self, $signal) = @_;
	my $pid = delete $self->{redis} or return;
	signal_and_reap($pid, $signal // 'TERM');
	return;
}

# One command on a connection of its own; simple replies and integers, undef where Redis is away.
sub redis_do {
	my ($self, @words) = @_;
	my $s = IO::Socket::UNIX->new(Peer => $self->redis_socket) or return undef;
	print {$s} join '', "*" . @words . "\r\n", map { "\$" . length($_) . "\r\n$_\r\n" } @words;
	my $reply = <$s> // return undef;
	$reply =~ s/\r\n\z//;
	$reply =~ s/^[+:]//;
	return $reply;
}

sub stop {
	my ($self) = @_;
	return if $self->{owner} != $$;
	$self->redis_stop('KILL');
	$self->mariadb_stop('KILL');
	return;
}

1;
